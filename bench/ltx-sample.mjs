import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export const PAGE = 4096

/** A database of users, orders and JSON events, as bytes. */
export function sampleDatabase(rows) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-ltx-'))
  const path = join(folder, 'sample.db')
  const db = new DatabaseSync(path)
  let seed = 1
  const random = (n) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % n
  }
  const vocabulary =
    'order payment user failed retry timeout shipped returned a the of to in is it for on with at by from'.split(' ')
  const words = (n) => Array.from({ length: n }, () => vocabulary[random(vocabulary.length)]).join(' ')
  const token = () => Array.from({ length: 5 }, () => random(2 ** 24).toString(36)).join('')
  db.exec(`PRAGMA page_size = ${PAGE}; PRAGMA journal_mode = off; BEGIN;
    CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, email TEXT, created INT);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, user INT, total REAL, note TEXT);
    CREATE TABLE events (id INTEGER PRIMARY KEY, kind TEXT, body TEXT);`)
  const user = db.prepare('INSERT INTO users VALUES (?, ?, ?, ?)')
  const order = db.prepare('INSERT INTO orders VALUES (?, ?, ?, ?)')
  const event = db.prepare('INSERT INTO events VALUES (?, ?, ?)')
  for (let id = 0; id < rows; id++) {
    user.run(id, words(2), `${words(1)}${random(1e6)}@example.com`, 1.7e9 + random(1e8))
    order.run(id, random(rows), random(1e6) / 100, words(6))
    event.run(id, words(1), JSON.stringify({ id: random(1e9), token: token(), message: words(16) }))
  }
  db.exec('CREATE INDEX byEmail ON users (email); CREATE INDEX byUser ON orders (user); COMMIT')
  db.close()
  const bytes = readFileSync(path)
  rmSync(folder, { recursive: true })
  return bytes
}
