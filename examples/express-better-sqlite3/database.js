import { mkdirSync } from 'node:fs'
import Database from 'better-sqlite3'

const { DATA_DIR = './data' } = process.env

// A function, not a side effect of the import: imports run before the first line of server.js, and so before the restore.
export function openDatabase() {
  mkdirSync(DATA_DIR, { recursive: true })
  const db = new Database(`${DATA_DIR}/shop.db`)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)')
  return db
}
