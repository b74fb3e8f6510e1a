// The app of the host suite on Express: see `plainApp` of @sqlite-backup/core/testing.
import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { openBackup, stderrLogger } from '@sqlite-backup/core'
import Database from 'better-sqlite3'
import express from 'express'
import { gracefulShutdown } from '../graceful-shutdown.ts'
import { backupHealth } from '../health.ts'

const { PORT = '0', STUCK, OWN_LISTENER } = process.env

const backup = await openBackup(undefined, { log: stderrLogger() })
await backup.restoreIfMissing()
mkdirSync('data', { recursive: true })
const db = new Database('data/app.db')
db.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (label TEXT)')
console.log('opened')

const app = express()
const rows = (): unknown[] => db.prepare('SELECT label FROM t ORDER BY rowid').pluck().all()
const add = (label: unknown): void => void db.prepare('INSERT INTO t VALUES (?)').run(label)
app.use(backupHealth({ backup, cacheMs: 0 }))
app.get('/rows', (_req, res) => void res.json(rows()))
app.post('/add', (req, res) => {
  add(req.query.label)
  res.json(rows())
})
app.get('/slow', async (req, res) => {
  console.log('at work')
  await new Promise((resolve) => setTimeout(resolve, Number(req.query.ms)))
  add('by the last request')
  res.json(rows())
})
app.get('/forever', (_req, res) => {
  res.write('and so on ')
})
const server = app.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`listening ${(server.address() as AddressInfo).port}`)
})
// A proxy in front of an app keeps its connections for longer than any stop may take.
server.keepAliveTimeout = 72_000

gracefulShutdown(server, {
  backup,
  onDrained: () => (STUCK === undefined ? db.close() : new Promise(() => setInterval(() => {}, 1000))),
})
if (OWN_LISTENER !== undefined) process.on('SIGTERM', () => console.log('heard it, too'))
await backup.start()
