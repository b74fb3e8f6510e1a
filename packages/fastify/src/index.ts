export { password } from '@sqlite-backup/admin'
export { type BackupAdminOptions, backupAdmin } from './admin.ts'
