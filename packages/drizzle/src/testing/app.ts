// An app that migrates when it starts, in a process of its own: several of them may start at once.
import { filesystem, openBackup } from '@sqlite-backup/core'
import BetterSqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { migrateWithBackup } from '../migrate-with-backup.ts'

const [path = '', folder = '', storage = ''] = process.argv.slice(2)
const client = new BetterSqlite(path, { timeout: 20_000 })
const backup = await openBackup({ databases: { app: path }, storages: { disk: filesystem({ dir: storage }) } })
try {
  const { outcome, applied } = await migrateWithBackup(
    migrate,
    drizzle(client),
    { migrationsFolder: folder },
    { backup, onWarning() {} },
  )
  process.stdout.write(JSON.stringify({ outcome, applied }))
} catch (error) {
  const code = error instanceof Error && 'code' in error ? error.code : String(error)
  process.stdout.write(JSON.stringify({ code }))
}
await backup.close()
client.close()
