/**
 * Drizzle's migrations under guard: back up, migrate, compare, roll back.
 *
 * @packageDocumentation
 */
export { type GuardResult, type LostRows, type MigrationCheck, MigrationRolledBackError } from '@sqlite-backup/core'
export type { DrizzleDatabase, DrizzleMigrationConfig } from './drizzle-database.ts'
export { type MigrateWithBackupOptions, migrateWithBackup } from './migrate-with-backup.ts'
