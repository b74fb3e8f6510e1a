const { mkdirSync } = require('node:fs')
const { DatabaseSync } = require('node:sqlite')

const { DATA_DIR = './data' } = process.env

// A function, not a side effect of require(): so the restore can come first.
exports.openDatabase = () => {
  mkdirSync(DATA_DIR, { recursive: true })
  const db = new DatabaseSync(`${DATA_DIR}/shop.db`)
  db.exec('PRAGMA journal_mode = WAL')
  db.exec('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL)')
  return db
}
