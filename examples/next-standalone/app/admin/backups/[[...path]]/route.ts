import { createAdmin, password } from '@sqlite-backup/admin'
import { openSharedBackup } from '../../../../backups'

type Admin = ReturnType<typeof createAdmin<Request>>
let admin: Promise<Admin> | undefined

// Made by the first request: `next build` loads this too, and does not know the password.
async function handle(request: Request) {
  admin ??= openSharedBackup().then((backup) => createAdmin({ backup, authorize: password('ADMIN_PASSWORD') }))
  return (await admin).handle(request, { input: request, basePath: '/admin/backups' })
}

export { handle as GET, handle as POST }
