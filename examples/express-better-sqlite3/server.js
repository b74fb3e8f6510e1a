import { openBackup, stderrLogger } from '@sqlite-backup/core'
import { backupAdmin, backupHealth, gracefulShutdown, password } from '@sqlite-backup/express'
import express from 'express'
import { openDatabase } from './database.js'

const backup = await openBackup(undefined, { log: stderrLogger() }) // with sqlite-backup.config.js
await backup.restoreIfMissing() // before anything opens the database

const db = openDatabase()
const all = db.prepare('SELECT id, item FROM orders ORDER BY id')
const add = db.prepare('INSERT INTO orders (item) VALUES (?) RETURNING id, item')

const app = express()
app.use(backupHealth({ backup })) // /livez, /readyz, /backupz
app.use(backupAdmin({ backup, authorize: password('ADMIN_PASSWORD') })) // /admin/backups

app.get('/orders', (_req, res) => res.json(all.all()))
app.post('/orders', express.json(), (req, res) => {
  const { item } = req.body ?? {}
  if (typeof item !== 'string' || item === '') res.status(400).json({ error: 'An order needs an item.' })
  else res.status(201).json(add.get(item))
})

const { PORT = '3000', HOST = '127.0.0.1' } = process.env
const server = app.listen(Number(PORT), HOST, (error) => {
  if (error) throw error
  console.log(`The shop is open at http://${HOST}:${PORT}`)
})
await backup.start() // the schedules
// On SIGTERM and SIGINT: answers what has been asked, closes the database, makes a last backup if anything changed.
gracefulShutdown(server, { backup, onDrained: () => db.close() })
