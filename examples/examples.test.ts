import { afterEach, expect, test } from 'vitest'
import { type Example, openExample } from './example.ts'
import { survivesTheWorstDay } from './worst-day.ts'

const password = 'correct-horse-battery'
let example: Example | undefined
afterEach(() => example?.remove())

test.each(['express-better-sqlite3', 'cjs-app', 'libsql-local'])(
  '%s comes back from kill -9 and from a lost disk',
  async (name) => {
    example = openExample(name, { env: { ADMIN_PASSWORD: password } })
    await survivesTheWorstDay(example)
  },
)

test('health and admin of express-better-sqlite3 answer', async () => {
  example = openExample('express-better-sqlite3', { env: { ADMIN_PASSWORD: password } })
  const app = await example.start()
  await app.order('tea')
  expect((await fetch(`${app.url}/livez`)).status).toBe(200)
  expect((await fetch(`${app.url}/backupz`)).status).toBe(503)
  await example.cli('backup')
  expect((await fetch(`${app.url}/admin/backups`)).status).toBe(401)
  const headers = { authorization: `Basic ${btoa(`ann:${password}`)}` }
  expect(await (await fetch(`${app.url}/admin/backups`, { headers })).text()).toContain('shop')
  await app.end('SIGTERM')
})
