// The app of the host suite with the plugin in it: see `plainApp` of @sqlite-backup/core/testing.
import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import { sqliteBackup } from '../plugin.ts'

// A restore must not be limited by it.
const app = Fastify({ logger: true, pluginTimeout: 1_000 })
app.register(sqliteBackup)
app.register(
  fp(async (instance) => {
    mkdirSync('data', { recursive: true })
    const db = new DatabaseSync('data/app.db')
    db.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (label TEXT)')
    console.log('opened')
    instance.addHook('onClose', async () => db.close())
    const rows = (): unknown[] =>
      db
        .prepare('SELECT label FROM t ORDER BY rowid')
        .all()
        .map(({ label }) => label)
    instance.get('/rows', async () => rows())
    instance.post<{ Querystring: { label: string } }>('/add', async ({ query }) => {
      db.prepare('INSERT INTO t VALUES (?)').run(query.label)
      return rows()
    })
    instance.get<{ Querystring: { ms: string } }>('/slow', async ({ query }) => {
      await new Promise((resolve) => setTimeout(resolve, Number(query.ms)))
      return rows()
    })
    instance.get('/forever', (_request, reply) => {
      reply.raw.writeHead(200)
      reply.raw.write('and ')
    })
  }),
)
await app.listen({ port: Number(process.env.PORT ?? 0), host: '127.0.0.1' })
console.log(`listening ${(app.server.address() as AddressInfo).port}`)
