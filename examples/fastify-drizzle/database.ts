import { mkdirSync } from 'node:fs'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import fp from 'fastify-plugin'
import * as schema from './schema.ts'

const { DATA_DIR = './data' } = process.env

export function openDatabase() {
  mkdirSync(DATA_DIR, { recursive: true })
  const client = new Database(`${DATA_DIR}/shop.db`)
  client.pragma('journal_mode = WAL')
  client.pragma('foreign_keys = ON')
  return drizzle(client, { schema })
}

declare module 'fastify' {
  interface FastifyInstance {
    db: ReturnType<typeof openDatabase>
  }
}

/** `app.db`, closed with the app. */
export const database = fp(async (app) => {
  const db = openDatabase()
  app.decorate('db', db)
  app.addHook('onClose', async () => {
    db.$client.close()
  })
})
