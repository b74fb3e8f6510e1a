import { mkdirSync } from 'node:fs'
import Database from 'better-sqlite3'

const { DATA_DIR = './data' } = process.env

let db: Database.Database | undefined

/** Opened by the first request, not as the module loads: `next build` loads it too, and the restore must come first. */
export function database() {
  if (db === undefined) {
    mkdirSync(DATA_DIR, { recursive: true })
    db = new Database(`${DATA_DIR}/shop.db`)
    db.pragma('journal_mode = WAL')
    db.exec('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)')
  }
  return db
}

export interface Order {
  readonly id: number
  readonly item: string
}

export function allOrders() {
  return database().prepare<[], Order>('SELECT id, item FROM orders ORDER BY id').all()
}

export function addOrder(item: string) {
  return database().prepare<[string], Order>('INSERT INTO orders (item) VALUES (?) RETURNING id, item').get(item)
}
