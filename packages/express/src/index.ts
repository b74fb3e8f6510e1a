export { password } from '@sqlite-backup/admin'
export { type BackupAdminHandler, type BackupAdminOptions, backupAdmin } from './admin.ts'
export { type GracefulShutdownOptions, gracefulShutdown } from './graceful-shutdown.ts'
export { type BackupHealthOptions, backupHealth } from './health.ts'
