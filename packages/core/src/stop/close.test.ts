import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { listBackups } from '../catalog/list-backups.ts'
import type { Config } from '../config/config.ts'
import { resolveConfig } from '../config/resolve-config.ts'
import { createEngine } from '../engine.ts'
import type { SqliteBackup } from '../engine-api.ts'
import type { EventName, Logger } from '../events.ts'
import { faulty } from '../storage/faulty.ts'
import { memory } from '../storage/memory.ts'
import type { Storage } from '../storage/storage.ts'

let root: string
let path: string
let app: BetterSqlite.Database
let count = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'close-'))
})
beforeEach(() => {
  const dir = join(root, String(count++))
  mkdirSync(dir)
  path = join(dir, 'app.db')
  app = new BetterSqlite(path)
  app.pragma('journal_mode = WAL')
  app.exec('CREATE TABLE t (n)')
  return () => app.close()
})
afterAll(() => rmSync(root, { recursive: true }))

interface Opened {
  readonly backup: SqliteBackup
  readonly events: EventName[]
  readonly said: string[]
}

async function open(storage: Storage, config: Config = {}): Promise<Opened> {
  const said: string[] = []
  const say = (_fields: object, message: string): void => void said.push(message)
  const log: Logger = { debug: say, info: say, warn: say, error: say }
  const resolved = await resolveConfig({
    config: { databases: { app: path }, storages: { store: storage }, ...config, log },
    environment: {},
  })
  const backup = createEngine(resolved)
  const events: EventName[] = []
  backup.onAny((name) => events.push(name))
  return { backup, events, said }
}

async function tiersIn(storage: Storage): Promise<readonly string[]> {
  const tiers: string[] = []
  for await (const { tier } of listBackups(storage, { database: 'app' })) tiers.push(tier)
  return tiers
}

/** Answers nothing any more, and does not listen to its signal: what a black hole in the network does to some clients. */
function hanging(storage: Storage): Storage {
  const never = (): Promise<never> => new Promise(() => {})
  return { ...storage, put: never, get: never, head: never, list: never, delete: never }
}

/** Answers, but what is sent never arrives. */
function takingNothing(storage: Storage): Storage {
  return { ...storage, put: () => new Promise(() => {}) }
}

const pendingFiles = (): readonly string[] => {
  const folder = join(path, '..', '.sqlite-backup', 'app.db', 'pending')
  return readdirSync(folder).filter((name) => name.endsWith('.json'))
}

test('a stop makes a last backup of what changed, and none of what did not', async () => {
  const storage = memory()
  const first = await open(storage)
  await first.backup.close({ backup: 'if-changed' })
  expect(await tiersIn(storage)).toEqual(['shutdown'])

  const second = await open(storage)
  await second.backup.close({ backup: 'if-changed' })
  expect(await tiersIn(storage)).toEqual(['shutdown'])

  app.exec('INSERT INTO t VALUES (1)')
  const third = await open(storage)
  await third.backup.close({ backup: 'if-changed' })
  expect(await tiersIn(storage)).toEqual(['shutdown', 'shutdown'])
})

test('without being told to, a close backs nothing up, and stop.backup: false overrules', async () => {
  const storage = memory()
  await (await open(storage)).backup.close()
  await (await open(storage, { stop: { backup: false } })).backup.close({ backup: 'if-changed' })
  expect(await tiersIn(storage)).toEqual([])
})

test('closing twice is closing once', async () => {
  const storage = memory()
  const { backup } = await open(storage)
  await Promise.all([backup.close({ backup: 'if-changed' }), backup.close({ backup: 'if-changed' })])
  expect(await tiersIn(storage)).toEqual(['shutdown'])
  await expect(backup.backup()).rejects.toMatchObject({ code: 'CLOSED' })
})

test('a storage that hangs does not keep a stop: the backup waits in the spool, and goes up with the next run', async () => {
  const storage = memory()
  const { backup, events, said } = await open(hanging(storage))
  await backup.close({ backup: 'if-changed', deadlineMs: 3000 })
  expect(events).toContain('backup.kept')
  expect(said.join('\n')).toContain('store had not taken the backup when the time was up.')
  expect(said.join('\n')).toContain('It waits in the spool')
  expect(pendingFiles()).toHaveLength(1)

  const next = await open(storage)
  await next.backup.backup('app')
  expect(await tiersIn(storage)).toEqual(['manual', 'shutdown'])
  expect(pendingFiles()).toEqual([])
  await next.backup.close()
})

test('of two storages, one that hangs does not keep the other from its backup', async () => {
  const good = memory()
  const { backup } = await open(good, { storages: { good, bad: hanging(memory()) } })
  await backup.close({ backup: 'if-changed', deadlineMs: 3000 })
  expect(await tiersIn(good)).toEqual(['shutdown'])
  expect(pendingFiles()).toHaveLength(1)
})

test('a run that a stop finds at work leaves in the spool what is not stored, and no second backup is made of it', async () => {
  const storage = memory()
  const { backup, events, said } = await open(takingNothing(storage))
  const running = backup.backup('app', { lockWaitMs: 0 }).catch((error: unknown) => error)
  await expect.poll(() => events).toContain('backup.progress')
  await backup.close({ backup: 'if-changed', deadlineMs: 3000 })
  expect(await running).toMatchObject({ code: 'BACKUP_FAILED', hint: expect.stringContaining('waits in the spool') })
  expect(said.join('\n')).not.toContain('There was no time')
  expect(said.join('\n')).toContain('It waits in the spool')
  expect(pendingFiles()).toHaveLength(1)

  const next = await open(storage)
  await next.backup.backup('app', { ifChanged: true })
  expect(pendingFiles()).toEqual([])
  expect(await tiersIn(storage)).toEqual(['manual'])
  await next.backup.close()
})

test('without a last backup it is the same', async () => {
  const { backup, events } = await open(takingNothing(memory()))
  const running = backup.backup('app').catch((error: unknown) => error)
  await expect.poll(() => events).toContain('backup.progress')
  await backup.close({ deadlineMs: 1000 })
  expect(await running).toMatchObject({ code: 'BACKUP_FAILED' })
  expect(pendingFiles()).toHaveLength(1)
})

test('what a storage has lost since is backed up once more by a stop', async () => {
  const storage = memory()
  await (await open(storage)).backup.close({ backup: 'if-changed' })
  const emptied = memory()
  await (await open(emptied)).backup.close({ backup: 'if-changed' })
  expect(await tiersIn(emptied)).toEqual(['shutdown'])
})

test('a start that comes after a stop does not cut it short: it fails when that is through', async () => {
  const storage = memory()
  const { backup } = await open(storage)
  const closed = backup.close({ backup: 'if-changed' })
  await expect(backup.start()).rejects.toMatchObject({ code: 'CLOSED' })
  expect(await tiersIn(storage)).toEqual(['shutdown'])
  await closed
})

test('a storage that cannot be closed is named, and keeps nothing from its end', async () => {
  const storage = memory()
  const close = (): never => {
    throw new Error('the socket is gone')
  }
  const { backup, said } = await open({ ...storage, close })
  await backup.close({ backup: 'if-changed' })
  expect(said).toContain('store could not be closed: the socket is gone')
  expect(await tiersIn(storage)).toEqual(['shutdown'])
})

test('with no time at all a stop is still a stop, and says that there was no last backup', async () => {
  const storage = memory()
  const { backup, said } = await open(storage)
  await backup.close({ backup: 'if-changed', deadlineMs: 1 })
  expect(said.join('\n')).toContain('There was no time for a last backup of app: a stop may take 1 ms.')
  expect(await tiersIn(storage)).toEqual([])
})

test('all the time in the world is more than no time, though no timer can wait for it', async () => {
  const storage = memory()
  const { backup, said } = await open(storage, { stop: { deadline: '99999h' }, jobs: false })
  await backup.start()
  await backup.close({ backup: 'if-changed', deadlineMs: Number.POSITIVE_INFINITY })
  expect(await tiersIn(storage)).toContain('shutdown')
  expect(said.join('\n')).not.toContain('no time')
  expect(backup.stopDeadlineMs).toBeLessThan(2 ** 31)
})

test('after a failed restore nothing is backed up on close', async () => {
  app.close()
  rmSync(path)
  const storage = memory()
  const { backup } = await open(faulty(storage, [{ on: 'list', times: 99, code: 'STORAGE_DENIED' }]))
  await expect(backup.restoreIfMissing()).rejects.toMatchObject({ code: 'STORAGE_DENIED' })
  // An app that starts all the same makes an empty database.
  new BetterSqlite(path).exec('CREATE TABLE t (n)').close()
  await backup.close({ backup: 'if-changed' })
  expect(await tiersIn(storage)).toEqual([])
})

test('a database that is there does not vouch for another that could not be restored', async () => {
  const [other, storage] = [join(path, '..', 'other.db'), memory()]
  const denied = faulty(storage, [{ on: 'list', times: 99, code: 'STORAGE_DENIED' }])
  const { backup } = await open(denied, { databases: { app: path, other } })
  await expect(backup.restoreIfMissing({ database: 'other' })).rejects.toMatchObject({ code: 'STORAGE_DENIED' })
  expect(await backup.restoreIfMissing({ database: 'app' })).toMatchObject([{ outcome: 'present' }])
  await expect(backup.start()).rejects.toMatchObject({ code: 'USAGE' })
  new BetterSqlite(other).exec('CREATE TABLE t (n)').close()
  await backup.close({ backup: 'if-changed' })
  expect(await storage.list({ prefix: 'other/' })).toMatchObject({ objects: [] })
})

test.each(['missing', 'empty'])('a database that is %s is no failed backup', async (state) => {
  app.close()
  rmSync(path)
  if (state === 'empty') writeFileSync(path, '')
  const { backup, events, said } = await open(memory())
  await backup.close({ backup: 'if-changed' })
  expect(events).toEqual([])
  expect(said).toEqual([])
})

test('a last backup does not go to a place that belongs to another environment, not even later', async () => {
  const storage = memory()
  const staging = await open(storage, { environment: 'staging' })
  await staging.backup.close({ backup: 'if-changed' })
  app.exec('INSERT INTO t VALUES (1)')
  const production = await open(storage, { environment: 'production' })
  await production.backup.close({ backup: 'if-changed' })
  expect(production.said.join('\n')).toContain('is of the environment "staging", and this is "production"')
  expect(await tiersIn(storage)).toEqual(['shutdown'])
  expect(production.events).not.toContain('backup.kept')
})
