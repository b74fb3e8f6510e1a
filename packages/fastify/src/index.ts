export { password } from '@sqlite-backup/admin'
export { type BackupAdminOptions, backupAdmin } from './admin.ts'
export { type BackupHealthOptions, backupHealth } from './health.ts'
export {
  type SqliteBackupCloseOptions,
  type SqliteBackupOptions,
  sqliteBackup,
  sqliteBackup as default,
} from './plugin.ts'
