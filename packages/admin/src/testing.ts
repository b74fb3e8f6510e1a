/**
 * For those who write a host of the admin: the suite that every host runs whole.
 *
 * @packageDocumentation
 */
export { type AdminHost, type AdminSuiteOptions, adminSuite, type RunningHost } from './testing/admin-suite.ts'
