// A small shop: Fastify over better-sqlite3. The only lines about backups are marked.
import { mkdirSync } from 'node:fs'
import { filesystem, openBackup } from '@sqlite-backup/core' // ←
import Database from 'better-sqlite3'
import Fastify from 'fastify'

const { DATA_DIR = './data', STORAGE_DIR = './storage', PORT = '3000' } = process.env
mkdirSync(DATA_DIR, { recursive: true })

const backup = await openBackup({
  databases: { shop: `${DATA_DIR}/shop.db` }, // ← what to keep safe
  storages: { disk: filesystem({ dir: STORAGE_DIR }) }, // ← where to keep it; in production: s3({ bucket: … })
})
const [boot] = await backup.restoreIfMissing() // ← before anything opens the database

const db = new Database(`${DATA_DIR}/shop.db`)
db.pragma('journal_mode = WAL')
db.exec('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT NOT NULL, at TEXT NOT NULL)')
const insert = db.prepare('INSERT INTO orders (item, at) VALUES (?, ?)')
const count = db.prepare('SELECT count(*) AS orders FROM orders')

const app = Fastify()
app.get('/orders/count', () => ({ ...count.get(), boot: boot?.outcome }))
app.post('/orders', (request) => ({ id: insert.run(request.body.item, new Date().toISOString()).lastInsertRowid }))
app.post('/backups', async () => {
  const { id, durationMs } = await backup.backup('shop', { tier: 'scheduled' })
  const { record } = await backup.verify(id, { level: 'proven' })
  return { id, durationMs, level: record.level, rows: record.tables?.orders }
})
app.addHook('onClose', () => backup.close())

await app.listen({ port: Number(PORT), host: '127.0.0.1' })
console.log(`listening ${app.server.address().port}`)
