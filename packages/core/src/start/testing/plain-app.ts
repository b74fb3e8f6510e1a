/**
 * An app that knows nothing of backups: a few rows over HTTP. Every host's own app does the same: it prints `opened` once
 * it has opened its database `./data/app.db`, `listening <port>` once it listens, and answers these three paths.
 */
export const plainApp = `
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { DatabaseSync } from 'node:sqlite'

mkdirSync('data', { recursive: true })
const db = new DatabaseSync('data/app.db')
db.exec('PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS t (label TEXT)')
console.log('opened')

const server = createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://app')
  if (pathname === '/add') db.prepare('INSERT INTO t VALUES (?)').run(searchParams.get('label'))
  if (pathname === '/slow') await new Promise((resolve) => setTimeout(resolve, Number(searchParams.get('ms'))))
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(db.prepare('SELECT label FROM t ORDER BY rowid').all().map(({ label }) => label)))
})
server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', () => console.log('listening ' + server.address().port))
`
