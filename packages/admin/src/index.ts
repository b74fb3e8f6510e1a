/**
 * The admin of sqlite-backup: pages and a JSON API, for any host that speaks Request and Response.
 *
 * @packageDocumentation
 */
export type { Actor, Authorize, Grant, Permission } from './authorize.ts'
export { type Admin, type AdminOptions, createAdmin, type HostRequest, passwordVariable } from './create-admin.ts'
export { type PasswordAuth, type PasswordOptions, password } from './password.ts'
