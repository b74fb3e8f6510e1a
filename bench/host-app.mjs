// The app of the host bench: Fastify and better-sqlite3, with or without the plugin.
//   node host-app.mjs '{"path":…, "backups":…, "plugin":true}'   → prints `listening <port> <ms of CPU until then>`
import Database from 'better-sqlite3'
import Fastify from 'fastify'

const { path, backups, plugin } = JSON.parse(process.argv[2])
const app = Fastify()
if (plugin) {
  const { sqliteBackup } = await import('@sqlite-backup/fastify')
  const log = { debug() {}, info() {}, warn() {}, error: console.error }
  app.register(sqliteBackup, {
    config: { databases: { app: path }, storages: { disk: backups }, retention: 'default', log },
  })
}
app.register(async (instance) => {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.pragma('synchronous = NORMAL')
  db.exec('CREATE TABLE IF NOT EXISTS visits (id INTEGER PRIMARY KEY, at TEXT)')
  const insert = db.prepare('INSERT INTO visits (at) VALUES (datetime())')
  const newest = db.prepare('SELECT * FROM visits ORDER BY id DESC LIMIT 10')
  instance.addHook('onClose', async () => db.close())
  instance.get('/', async () => {
    insert.run()
    return newest.all()
  })
})
await app.listen({ port: 0, host: '127.0.0.1' })
const { user, system } = process.cpuUsage()
console.log(`listening ${app.server.address().port} ${(user + system) / 1000}`)
process.on('SIGTERM', () => app.close())
