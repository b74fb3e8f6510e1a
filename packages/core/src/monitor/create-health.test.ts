import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openBackup } from '../engine.ts'
import type { SqliteBackup } from '../engine-api.ts'
import { memory } from '../storage/memory.ts'
import type { Storage } from '../storage/storage.ts'
import { createHealth } from './create-health.ts'

let dir: string
let backup: SqliteBackup

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'health-'))
  const db = new BetterSqlite(join(dir, 'app.db'))
  db.exec('CREATE TABLE t (n)')
  db.close()
})
afterEach(async () => {
  await backup.close({ deadlineMs: 100 })
  rmSync(dir, { recursive: true })
})

async function open(storage: Storage): Promise<SqliteBackup> {
  backup = await openBackup({ databases: { app: join(dir, 'app.db') }, storages: { store: storage } })
  return backup
}

const hanging = (): Storage => {
  const never = (): Promise<never> => new Promise(() => {})
  return { ...memory(), list: never, get: never, head: never }
}

test('without a backup /backupz fails, and the app is alive and ready all the same', async () => {
  const health = createHealth(await open(memory()))
  expect(health.live()).toEqual({ statusCode: 200, body: { status: 'pass' } })
  expect(health.ready().statusCode).toBe(200)
  expect(await health.backups()).toMatchObject({
    statusCode: 503,
    body: { status: 'fail', checks: { 'app:store': [{ status: 'fail', output: 'There is no backup.' }] } },
  })
})

test('with one it tells its age, and what should be known', async () => {
  const engine = await open(memory())
  await engine.backup()
  const { statusCode, body } = await createHealth(engine).backups()
  expect(statusCode).toBe(200)
  expect(body.status).toBe('warn')
  expect(body.notes?.join()).toContain('Nobody will be told')
  expect(body.checks?.['app:store']).toMatchObject([{ status: 'pass', observedUnit: 'ms' }])
})

test('an old backup fails it', async () => {
  const engine = await open(memory())
  await engine.backup()
  const { statusCode } = await createHealth(engine, { maxAgeMs: -1 }).backups()
  expect(statusCode).toBe(503)
})

test('a storage that hangs fails it, and keeps nobody waiting', async () => {
  const health = createHealth(await open(hanging()), { timeoutMs: 50 })
  expect(await health.backups()).toEqual({
    statusCode: 503,
    body: { status: 'fail', output: 'The storages did not answer within 50 ms.' },
  })
})

test('while a restore is at work the app is not ready, but alive', async () => {
  const engine = await open(hanging())
  const restore = engine.restore('latest', { output: join(dir, 'other.db') })
  restore.catch(() => {})
  const health = createHealth(engine)
  expect(health.ready().statusCode).toBe(503)
  expect(health.live().statusCode).toBe(200)
})

test('an answer is good for a while: a busy monitor does not cost a request each time', async () => {
  const engine = await open(memory())
  const health = createHealth(engine)
  expect((await health.backups()).statusCode).toBe(503)
  await engine.backup()
  expect((await health.backups()).statusCode).toBe(503)
  expect((await createHealth(engine, { cacheMs: 0 }).backups()).statusCode).toBe(200)
})
