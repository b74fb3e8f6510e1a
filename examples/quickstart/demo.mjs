// The worst day of a small app, in half a minute: it takes orders, is backed up, is killed, loses its disk, comes back.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const root = join(import.meta.dirname, '.demo')
const data = join(root, 'data')
const storage = join(root, 'storage')
const items = ['tea', 'bread', 'honey', 'olives', 'salt']

const say = (text = '') => console.log(text)
const number = (value) => value.toLocaleString('en-US')

async function start() {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'server.mjs')], {
    env: { ...process.env, DATA_DIR: data, STORAGE_DIR: storage, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout })) {
    const [, port] = /^listening (\d+)$/.exec(line) ?? []
    if (port)
      return { child, url: `http://127.0.0.1:${port}`, gone: new Promise((resolve) => child.once('exit', resolve)) }
  }
  throw new Error('The app did not start.')
}

async function call(app, method, path, body) {
  const response = await fetch(app.url + path, {
    method,
    ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return response.json()
}

async function takeOrders(app, howMany) {
  for (let left = howMany; left > 0; left -= 50) {
    await Promise.all(
      Array.from({ length: Math.min(50, left) }, (_, i) =>
        call(app, 'POST', '/orders', { item: items[i % items.length] }),
      ),
    )
  }
}

function bytesIn(dir) {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)
}

rmSync(root, { recursive: true, force: true })
let app
process.once('exit', () => app?.child.kill('SIGKILL'))

say('sqlite-backup quickstart')
say()
say('1. A small Fastify app starts on an empty disk. Its database does not exist and neither does a backup.')
app = await start()
await takeOrders(app, 2000)
say(`   It took ${number((await call(app, 'GET', '/orders/count')).orders)} orders.`)

say('2. A backup is made while the app runs, and proven: restored to a scratch file and checked by SQLite.')
const made = await call(app, 'POST', '/backups')
say(
  `   ${made.id}: ${made.level}, ${number(made.rows)} orders in it, ${number(Math.round(made.durationMs))} ms, ${number(bytesIn(storage))} bytes in ${join('.demo', 'storage')}.`,
)

say('3. Life goes on: 25 more orders come in after the backup.')
await takeOrders(app, 25)
const before = (await call(app, 'GET', '/orders/count')).orders

say('4. kill -9. And its disk is gone.')
app.child.kill('SIGKILL')
await app.gone
rmSync(data, { recursive: true, force: true })
say(`   ${join('.demo', 'data')} exists: ${existsSync(data) ? 'yes' : 'no'}.`)

say('5. The app starts again on the empty disk. Before it listens, its database is restored.')
app = await start()
const after = await call(app, 'GET', '/orders/count')
say(
  `   Boot said "${after.boot}". ${number(after.orders)} of ${number(before)} orders survived: all that were in the backup, none of the ${before - after.orders} that came after it.`,
)

await takeOrders(app, 1)
say(`6. It works on: ${number((await call(app, 'GET', '/orders/count')).orders)} orders now.`)
app.child.kill('SIGTERM')
await app.gone
say()
say('The whole of it is examples/quickstart/server.mjs: the lines about backups are marked with an arrow.')
if (after.orders !== 2000 || after.boot !== 'restored') {
  say(`But something is wrong: expected 2,000 orders and "restored".`)
  process.exitCode = 1
}
