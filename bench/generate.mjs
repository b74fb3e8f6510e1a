// A database of realistic rows: users, orders, JSON events and text, with indexes. The same seed gives the same bytes.
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export const dataDir = process.env.BENCH_DIR ?? join(import.meta.dirname, '.data')

const words =
  'the order was shipped late because a parcel from our supplier in Lisbon never arrived and nobody had asked why it took so long to answer the customer who paid twice'.split(
    ' ',
  )
const cities = ['Lisbon', 'Kyiv', 'Osaka', 'Quito', 'Tromsø', 'Accra', 'Perth', 'Lima', 'Graz', 'Pune']

/** mulberry32: small, seeded, good enough for text. */
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Path of a database of about `megabytes`; made once, then reused. */
export function database(megabytes, { journalMode = 'wal', pageSize = 4096 } = {}) {
  const path = join(dataDir, `${megabytes}mb-${journalMode}-${pageSize}.db`)
  if (existsSync(path)) return path
  mkdirSync(dirname(path), { recursive: true })
  const temp = `${path}.making`
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(temp + suffix, { force: true })
  const db = new DatabaseSync(temp)
  db.exec(`PRAGMA page_size = ${pageSize}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
    CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, name TEXT, city TEXT, created INTEGER);
    CREATE TABLE orders (id INTEGER PRIMARY KEY, user INTEGER REFERENCES users, total REAL, status TEXT, placed INTEGER, note TEXT);
    CREATE INDEX orders_user ON orders (user);
    CREATE TABLE events (id INTEGER PRIMARY KEY, at INTEGER, body TEXT);
    CREATE INDEX events_at ON events (at);`)
  const r = random(42)
  const pick = (list) => list[Math.floor(r() * list.length)]
  const text = (n) => Array.from({ length: n }, () => pick(words)).join(' ')
  const hex = (n) => Array.from({ length: n }, () => Math.floor(r() * 16).toString(16)).join('')
  const user = db.prepare('INSERT INTO users (email, name, city, created) VALUES (?, ?, ?, ?)')
  const order = db.prepare('INSERT INTO orders (user, total, status, placed, note) VALUES (?, ?, ?, ?, ?)')
  const event = db.prepare('INSERT INTO events (at, body) VALUES (?, ?)')
  let at = 1_700_000_000_000
  let users = 0
  for (;;) {
    db.exec('BEGIN')
    for (let i = 0; i < 5000; i++) {
      at += Math.floor(r() * 5000)
      if (i % 10 === 0) {
        users++
        user.run(`${hex(8)}.${users}@example.com`, `${pick(words)} ${pick(words)}`, pick(cities), at)
      }
      order.run(
        1 + Math.floor(r() * users),
        Math.floor(r() * 100000) / 100,
        pick(['new', 'paid', 'sent', 'back']),
        at,
        text(4 + Math.floor(r() * 20)),
      )
      event.run(
        at,
        JSON.stringify({
          id: hex(24),
          kind: pick(['view', 'click', 'buy']),
          user: Math.floor(r() * users),
          ip: `10.${Math.floor(r() * 255)}.${Math.floor(r() * 255)}.7`,
          agent: text(6),
          ms: r() * 1000,
        }),
      )
    }
    db.exec('COMMIT')
    if (statSync(temp).size >= megabytes * 1e6) break
  }
  db.exec(`PRAGMA journal_mode = ${journalMode === 'wal' ? 'WAL' : 'DELETE'}`)
  db.close()
  renameSync(temp, path)
  return path
}

if (import.meta.filename === process.argv[1]) {
  const megabytes = Number(process.argv[2] ?? 500)
  if (!(megabytes > 0)) throw new Error('usage: node generate.mjs [megabytes] [wal|delete]')
  console.log(database(megabytes, { journalMode: process.argv[3] }))
}
