export { password } from '@sqlite-backup/admin'
export { type BackupAdminHandler, type BackupAdminOptions, backupAdmin } from './admin.ts'
