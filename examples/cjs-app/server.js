const { createServer } = require('node:http')
const { json } = require('node:stream/consumers')
const { createClosing, onStopSignal, openBackup, stderrLogger } = require('@sqlite-backup/core')
const { openDatabase } = require('./database.js')

async function main() {
  const backup = await openBackup(undefined, { log: stderrLogger() }) // with sqlite-backup.config.js
  await backup.restoreIfMissing() // before anything opens the database

  const db = openDatabase()
  const routes = {
    'GET /orders': () => db.prepare('SELECT id, item FROM orders ORDER BY id').all(),
    'POST /orders': async (request) => {
      const { item } = await json(request)
      return db.prepare('INSERT INTO orders (item) VALUES (?) RETURNING id, item').get(String(item))
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

  await backup.start() // the schedules
  const closing = createClosing(server, backup)
  onStopSignal(() =>
    // Within the time that the platform gives: no client that never hangs up costs the last backup.
    closing.around(async () => {
      await new Promise((resolve) => server.close(resolve))
      db.close()
    }),
  )
}

main().catch((error) => {
  // Without its data the app must not start: what it wrote would be taken for the newest state.
  console.error(error)
  process.exit(1)
})
