import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memory } from '@sqlite-backup/core/testing'
import BetterSqlite from 'better-sqlite3'
import Fastify from 'fastify'
import { expect, test } from 'vitest'
import { backupHealth } from './health.ts'
import { sqliteBackup } from './plugin.ts'

test('alive and ready without a backup, and /backupz says how the backups are', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'health-'))
  const path = join(dir, 'app.db')
  new BetterSqlite(path).exec('CREATE TABLE t (n)').close()
  const app = Fastify()
  app.register(sqliteBackup, { config: { databases: { app: path }, storages: { store: memory() } } })
  app.register(backupHealth, { prefix: '/health', cacheMs: 0 })
  expect((await app.inject('/health/livez')).json()).toEqual({ status: 'pass' })
  expect((await app.inject('/health/readyz')).statusCode).toBe(200)
  const before = await app.inject('/health/backupz')
  expect(before.statusCode).toBe(503)
  expect(before.headers['content-type']).toContain('application/health+json')
  expect(before.headers['cache-control']).toBe('no-store')
  await app.sqliteBackup.backup()
  const after = await app.inject('/health/backupz')
  expect(after.statusCode).toBe(200)
  expect(after.json()).toMatchObject({ status: 'warn', checks: { 'app:store': [{ status: 'pass' }] } })
  await app.close()
  rmSync(dir, { recursive: true })
})

test('without an engine, or with an option that does not exist, the app does not start', async () => {
  const alone = Fastify()
  alone.register(backupHealth)
  await expect(alone.ready()).rejects.toMatchObject({
    message: 'backupHealth has no engine to ask.',
    hint: expect.stringContaining('register @sqlite-backup/fastify before it'),
  })
  const app = Fastify()
  app.register(sqliteBackup, { config: { storages: { store: memory() } } })
  // @ts-expect-error: that is the point
  app.register(backupHealth, { maxAge: '1h', logLevel: 'warn' })
  await expect(app.ready()).rejects.toThrow('Unknown option "maxAge" of backupHealth. Did you mean "maxAgeMs"?')
  await app.close()
})
