import { mkdtempSync, readdirSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import BetterSqlite from 'better-sqlite3'
import { beforeEach, describe, expect, test } from 'vitest'
import { listBackups } from '../catalog/list-backups.ts'
import { putVerifyRecord } from '../catalog/records.ts'
import type { Config } from '../config/config.ts'
import { openBackup } from '../engine.ts'
import type { BackupOptions, BackupResult } from '../engine-api.ts'
import { BackupError } from '../errors.ts'
import { memory } from '../storage/memory.ts'
import { listAll, type Storage } from '../storage/storage.ts'

let dir: string
let path: string
let app: BetterSqlite.Database

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'find-unchanged-'))
  path = join(dir, 'app.db')
  app = new BetterSqlite(path)
  app.pragma('journal_mode = WAL')
  app.exec('CREATE TABLE t (n)')
  return () => {
    app.close()
    rmSync(dir, { recursive: true })
  }
})

/** A storage that can be switched off, for all calls or for `put` alone. */
function switchable(): Storage & { off: 'all' | 'put' | undefined; readonly stored: Storage } {
  const stored = memory()
  const guarded =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>, isPut = false) =>
    async (...args: A): Promise<R> => {
      if (self.off === 'all') throw new BackupError('STORAGE_FAILED', 'It does not answer.')
      if (self.off === 'put' && isPut) throw new BackupError('STORAGE_DENIED', 'It may only be read.')
      return call(...args)
    }
  const self: Storage & { off: 'all' | 'put' | undefined; readonly stored: Storage } = {
    ...stored,
    stored,
    off: undefined,
    put: guarded(stored.put, true),
    get: guarded(stored.get),
    head: guarded(stored.head),
    list: guarded(stored.list),
    delete: guarded(stored.delete),
  }
  return self
}

async function backUp(config: Config, options: BackupOptions = {}): Promise<BackupResult> {
  const backup = await openBackup({ databases: { app: path }, ...config })
  try {
    return await backup.backup(undefined, { ifChanged: true, ...options })
  } finally {
    await backup.close()
  }
}

async function idsIn(storage: Storage, database = 'app'): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const { id } of listBackups(storage, { database })) ids.push(id)
  return ids
}

async function empty(storage: Storage): Promise<void> {
  const keys: string[] = []
  for await (const { key } of listAll(storage)) keys.push(key)
  await storage.delete(keys)
}

test('a storage added to the configuration gets a backup, and then nothing has changed', async () => {
  const a = memory()
  const b = memory()
  await backUp({ storages: { a } })
  const { id, outcome } = await backUp({ storages: { a, b } })
  expect(outcome).toBe('stored')
  expect(await idsIn(b)).toEqual([id])
  expect(await backUp({ storages: { a, b } })).toMatchObject({
    outcome: 'unchanged',
    id,
    storages: [
      { storage: 'a', ok: true },
      { storage: 'b', ok: true },
    ],
  })
})

test('what one storage has says nothing of another, and each is left alone once it has it too', async () => {
  const storages = { a: memory(), b: memory() }
  await backUp({ storages }, { to: ['a'] })
  app.exec('INSERT INTO t VALUES (1)')
  const inB = await backUp({ storages }, { to: ['b'] })
  const inA = await backUp({ storages }, { to: ['a'] })
  expect(inA.outcome).toBe('stored')
  expect(await idsIn(storages.a)).toContain(inA.id)
  expect(await backUp({ storages }, { to: ['b'] })).toMatchObject({ outcome: 'unchanged', id: inB.id })
  expect(await backUp({ storages }, { to: ['a'] })).toMatchObject({ outcome: 'unchanged', id: inA.id })
})

test('a storage that was emptied gets a new backup', async () => {
  const a = memory()
  await backUp({ storages: { a } })
  await empty(a)
  expect((await backUp({ storages: { a } })).outcome).toBe('stored')
  expect(await idsIn(a)).toHaveLength(1)
})

test('a backup that is known to be bad is none', async () => {
  const a = memory()
  const { manifest } = await backUp({ storages: { a } })
  if (manifest === undefined) throw new Error('no manifest')
  const entry = { database: 'app', id: manifest.id, created: new Date(manifest.created) }
  const at = new Date().toISOString()
  await putVerifyRecord(a, entry, { level: 'checked', outcome: 'failed', at, durationMs: 1 })
  expect((await backUp({ storages: { a } })).outcome).toBe('stored')
})

test('the same file under another name is another database', async () => {
  const a = memory()
  await backUp({ storages: { a } })
  expect((await backUp({ storages: { a }, databases: { other: path } })).outcome).toBe('stored')
  expect(await idsIn(a, 'other')).toHaveLength(1)
  expect((await backUp({ storages: { a } })).outcome).toBe('unchanged')
})

test('another place of the same name is another storage', async () => {
  await backUp({ storages: { a: memory() } })
  const elsewhere = memory()
  expect((await backUp({ storages: { a: elsewhere } })).outcome).toBe('stored')
  expect(await idsIn(elsewhere)).toHaveLength(1)
})

describe('a storage that could not take it', () => {
  const pending = (): string => join(dir, '.sqlite-backup', 'app.db', 'pending')

  test('fails each run without a further backup while it waits, and then has it', async () => {
    const b = switchable()
    const storages = { a: memory(), b }
    b.off = 'put'
    await expect(backUp({ storages })).rejects.toMatchObject({ code: 'BACKUP_FAILED' })
    await expect(backUp({ storages })).rejects.toMatchObject({
      code: 'BACKUP_FAILED',
      message: expect.stringContaining('It may only be read.'),
    })
    expect(await idsIn(storages.a)).toHaveLength(1)
    expect(await backUp({ storages }, { require: 'any' })).toMatchObject({
      outcome: 'unchanged',
      storages: [
        { storage: 'a', ok: true },
        { storage: 'b', ok: false },
      ],
      warnings: [expect.stringContaining('b does not have it: ')],
    })
    b.off = undefined
    expect((await backUp({ storages })).outcome).toBe('unchanged')
    expect(await idsIn(b)).toEqual(await idsIn(storages.a))
  })

  test('gets a new one when the one that waited was given up', async () => {
    const b = switchable()
    const storages = { a: memory(), b }
    b.off = 'all'
    await expect(backUp({ storages })).rejects.toMatchObject({ code: 'BACKUP_FAILED' })
    const longAgo = new Date(Date.now() - 8 * 86_400_000)
    for (const name of readdirSync(pending())) utimesSync(join(pending(), name), longAgo, longAgo)
    b.off = undefined
    expect((await backUp({ storages })).outcome).toBe('stored')
    expect(await idsIn(b)).toHaveLength(1)
  })

  test('is no storage at all: what waits for the only one is not made twice, and what it has at last is known', async () => {
    const b = switchable()
    b.off = 'all'
    for (let i = 0; i < 3; i++) {
      await expect(backUp({ storages: { b } })).rejects.toMatchObject({ code: 'BACKUP_FAILED' })
    }
    expect(readdirSync(pending()).filter((name) => name.endsWith('.body'))).toHaveLength(1)
    b.off = undefined
    const { id, outcome } = await backUp({ storages: { b } })
    expect(outcome).toBe('unchanged')
    app.exec('INSERT INTO t VALUES (1)')
    expect((await backUp({ storages: { b } })).manifest?.lineage.parent).toBe(id)
  })
})

test('whoever restored from one storage finds what another has of it', async () => {
  const storages = { a: memory(), b: memory(), c: memory() }
  const { id } = await backUp({ storages }, { to: ['a', 'b'] })
  app.close()
  for (const name of readdirSync(dir)) rmSync(join(dir, name), { recursive: true })
  const backup = await openBackup({ databases: { app: path }, storages })
  await backup.restoreIfMissing()
  await backup.close()
  await delay(60)
  app = new BetterSqlite(path)
  expect(await backUp({ storages }, { to: ['a', 'b'] })).toMatchObject({ outcome: 'unchanged', id })
  expect((await backUp({ storages })).outcome).toBe('stored')
})
