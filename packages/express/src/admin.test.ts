import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { adminSuite } from '@sqlite-backup/admin/testing'
import express, { Router } from 'express'
import { expect, onTestFinished, test, vi } from 'vitest'
import { backupAdmin } from './admin.ts'

adminSuite({
  host: {
    name: 'express',
    async start({ admin, mount, parseBodies = false }) {
      const app = express()
      if (parseBodies) app.use(express.urlencoded({ extended: true }), express.json())
      const handler = backupAdmin(admin)
      if (mount === 'default') app.use(handler)
      else if (mount === 'path') app.use('/tools/backups', handler)
      else app.use('/ops', Router().use('/area', Router().use('/backups', handler)))
      app.use((_req, res) => {
        res.status(404).send('host says 404')
      })
      const server = app.listen(0, '127.0.0.1')
      await new Promise((resolve) => server.once('listening', resolve))
      return {
        origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        path: { default: '/admin/backups', path: '/tools/backups', nested: '/ops/area/backups' }[mount],
        async close() {
          const closed = new Promise((resolve) => server.close(resolve))
          await handler.close()
          server.closeIdleConnections()
          await closed
        },
      }
    },
  },
})

test('without authorize it does not mount, and says which lines to add', () => {
  expect(() => backupAdmin()).toThrow(/closed until it knows who may enter[\s\S]*authorize: \(req\)/)
})

test('an open page ends when the server stops listening, though nobody closed the admin', async () => {
  const handler = backupAdmin({ authorize: () => ({ actor: { id: 'ann' }, permissions: 'all' }) })
  const app = express().use(handler)
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const response = await fetch(`http://127.0.0.1:${port}/admin/backups/events`)
  const reader = response.body?.getReader()
  await reader?.read()
  const closed = new Promise((resolve) => server.close(resolve))
  while (!(await reader?.read())?.done);
  server.closeIdleConnections()
  await closed
  expect(server.listening).toBe(false)
  await handler.close()
})

test("app.use(backupAdmin()) as it is written: a config file, a password, and everything else is the app's", async () => {
  const dir = mkdtempSync(join(tmpdir(), 'express-admin-'))
  const config = join(dir, 'sqlite-backup.config.json')
  writeFileSync(
    config,
    JSON.stringify({ databases: { diary: join(dir, 'diary.db') }, storages: { near: join(dir, 'b') } }),
  )
  vi.stubEnv('SQLITE_BACKUP_CONFIG', config)
  vi.stubEnv('SQLITE_BACKUP_ADMIN_PASSWORD', 'correct horse battery')
  const handler = backupAdmin()
  const server = express().use(handler).listen(0, '127.0.0.1')
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await handler.close()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    rmSync(dir, { recursive: true, force: true })
  })
  await new Promise((resolve) => server.once('listening', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const enter = (password: string): Promise<Response> =>
    fetch(`${origin}/admin/backups`, { headers: { authorization: `Basic ${btoa(`me:${password}`)}` } })
  expect((await enter('wrong')).status).toBe(401)
  const page = await enter('correct horse battery')
  expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('diary')])
  expect((await fetch(`${origin}/admin`)).status).toBe(404)
})
