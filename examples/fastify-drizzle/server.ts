import { migrateWithBackup } from '@sqlite-backup/drizzle'
import sqliteBackup, { backupAdmin, backupHealth, password } from '@sqlite-backup/fastify'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import Fastify from 'fastify'
import { database, openDatabase } from './database.ts'
import { orders } from './schema.ts'

const app = Fastify({ logger: true })

// First: restores the database if it is missing, before anything below opens it, and then migrates it. A migration that
// fails or loses rows is rolled back, and the app does not start.
app.register(sqliteBackup, {
  async migrate(backup) {
    const db = openDatabase()
    try {
      await migrateWithBackup(migrate, db, { migrationsFolder: './drizzle' }, { backup })
    } finally {
      db.$client.close()
    }
  },
})
app.register(backupHealth) // /livez, /readyz, /backupz
app.register(backupAdmin, { authorize: password('ADMIN_PASSWORD') }) // /admin/backups

// The app itself knows nothing of backups.
app.register(database)

app.get('/orders', () => app.db.select().from(orders))

app.post<{ Body: { item: string; quantity?: number } }>('/orders', {
  schema: {
    body: {
      type: 'object',
      required: ['item'],
      properties: { item: { type: 'string', minLength: 1 }, quantity: { type: 'integer', minimum: 1 } },
    },
  },
  handler: (request) => app.db.insert(orders).values(request.body).returning().get(),
})

await app.listen({ port: Number(process.env.PORT ?? 3000), host: process.env.HOST ?? '127.0.0.1' })
