// An app over libsql in a local file that knows nothing of backups.
import { createServer } from 'node:http'
import { json } from 'node:stream/consumers'
import { db } from './database.js'

const routes = {
  'GET /orders': async () => (await db.execute('SELECT id, item FROM orders ORDER BY id')).rows,
  'POST /orders': async (request) => {
    const { item } = await json(request)
    const { rows } = await db.execute({
      sql: 'INSERT INTO orders (item) VALUES (?) RETURNING id, item',
      args: [String(item)],
    })
    return rows[0]
  },
}

const server = createServer(async (request, response) => {
  const route = routes[`${request.method} ${request.url}`]
  try {
    if (route === undefined) response.writeHead(404).end()
    else response.setHeader('content-type', 'application/json').end(JSON.stringify(await route(request)))
  } catch (error) {
    console.error(error)
    response.writeHead(500).end()
  }
})
server.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? '127.0.0.1', () => {
  console.log(`The shop is open at http://127.0.0.1:${server.address().port}`)
})
