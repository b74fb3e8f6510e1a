// Opened as the module loads, as many apps do. No line of the app could restore anything before that; boot can.
import { mkdirSync } from 'node:fs'
import { createClient } from '@libsql/client'

const { DATA_DIR = './data' } = process.env
mkdirSync(DATA_DIR, { recursive: true })

export const db = createClient({ url: `file:${DATA_DIR}/shop.db` })
await db.execute('PRAGMA journal_mode = WAL')
await db.execute('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)')
