import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Example, openExample } from './example.ts'
import { survivesTheWorstDay } from './worst-day.ts'

const password = 'correct-horse-battery'
let example: Example
beforeEach(() => {
  example = openExample('fastify-drizzle', { env: { ADMIN_PASSWORD: password } })
})
afterEach(() => example.remove())

test('fastify-drizzle comes back from kill -9 and from a lost disk', async () => {
  await survivesTheWorstDay(example)
})

test('a database of the version before is backed up and migrated at the start; health and admin answer', async () => {
  const migrations = join(example.dir, 'drizzle')
  const [{ tag, when }] = JSON.parse(readFileSync(join(migrations, 'meta', '_journal.json'), 'utf8')).entries
  const sql = readFileSync(join(migrations, `${tag}.sql`), 'utf8')
  mkdirSync(example.data)
  const db = new DatabaseSync(join(example.data, 'shop.db'))
  db.exec(`${sql}; INSERT INTO orders (item) VALUES ('old')`)
  db.exec('CREATE TABLE __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)')
  db.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)').run(
    createHash('sha256').update(sql).digest('hex'),
    when,
  )
  db.close()

  const app = await example.start()
  expect(await (await fetch(`${app.url}/orders`)).json()).toEqual([{ id: 1, item: 'old', quantity: 1 }])
  expect(await example.cli('list', '--tier', 'pre-migration')).toContain('pre-migration')

  expect((await fetch(`${app.url}/readyz`)).status).toBe(200)
  expect((await fetch(`${app.url}/backupz`)).status).toBe(200)
  expect((await fetch(`${app.url}/admin/backups`)).status).toBe(401)
  const headers = { authorization: `Basic ${btoa(`ann:${password}`)}` }
  const page = await fetch(`${app.url}/admin/backups`, { headers })
  expect(page.status).toBe(200)
  expect(await page.text()).toContain('shop')
  await app.end('SIGTERM')
})

test('the migrations are what drizzle-kit makes of the schema', async () => {
  const bin = join(example.dir, 'node_modules', 'drizzle-kit', 'bin.cjs')
  // Beside the folder, not into it: what it makes when they are not is no change of the example. It joins paths by itself.
  const out = join(example.data, 'drizzle')
  cpSync(join(example.dir, 'drizzle'), out, { recursive: true })
  const flags = ['--dialect', 'sqlite', '--schema', 'schema.ts', '--out', relative(example.dir, out)]
  const { stdout } = await promisify(execFile)(process.execPath, [bin, 'generate', ...flags], { cwd: example.dir })
  expect(stdout).toContain('No schema changes')
})
