import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { openBackup } from '../engine.ts'
import { BackupError } from '../errors.ts'
import { memory } from '../storage/memory.ts'
import { listAll, type Storage } from '../storage/storage.ts'

async function setUp(storages: Readonly<Record<string, Storage>>) {
  const dir = mkdtempSync(join(tmpdir(), 'delete-'))
  const db = new Database(join(dir, 'app.db'))
  db.exec('CREATE TABLE t (x)')
  const engine = await openBackup({ databases: { app: join(dir, 'app.db') }, storages, jobs: false })
  onTestFinished(async () => {
    await engine.close()
    db.close()
    rmSync(dir, { recursive: true })
  })
  const make = async (): Promise<string> => {
    db.exec('INSERT INTO t VALUES (1)')
    return (await engine.backup('app')).id
  }
  return { engine, make }
}

async function keysOf(storage: Storage): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of listAll(storage, { prefix: 'app/' })) keys.push(key)
  return keys
}

test('deletes one backup with all that belongs to it, everywhere, and says so', async () => {
  const storages = { near: memory(), far: memory() }
  const { engine, make } = await setUp(storages)
  const [old, newest] = [await make(), await make()]
  await engine.verify(old)
  await engine.verify(newest)
  const heard: unknown[] = []
  engine.on('backup.deleted', ({ id, storage, actor }) => heard.push({ id, storage, actor }))
  expect(await engine.planDelete(old)).toMatchObject({
    id: old,
    tier: 'manual',
    storages: [
      { storage: 'near', heldBy: [] },
      { storage: 'far', heldBy: [] },
    ],
  })
  expect(await engine.delete(old, { actor: 'ann' })).toEqual({
    id: old,
    database: 'app',
    storages: [
      { storage: 'near', ok: true },
      { storage: 'far', ok: true },
    ],
  })
  expect(heard).toEqual([
    { id: old, storage: 'near', actor: 'ann' },
    { id: old, storage: 'far', actor: 'ann' },
  ])
  for (const storage of Object.values(storages)) {
    const keys = await keysOf(storage)
    expect(keys.filter((key) => key.includes(old.slice(-8)))).toEqual([])
    expect(keys.filter((key) => key.includes(newest.slice(-8))).length).toBeGreaterThan(1)
  }
  await expect(engine.delete(old)).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
})

test('the newest, the newest checked, and kept ones stay, in all storages when in one', async () => {
  const { engine, make } = await setUp({ near: memory(), far: memory() })
  const [checked, kept, plain, newest] = [await make(), await make(), await make(), await make()]
  await engine.verify(checked, { from: 'far' })
  await engine.keep(kept, { reason: 'audit' })
  for (const [id, reason] of [
    [newest, 'newest'],
    [checked, 'newest-checked'],
    [kept, 'kept'],
  ] as const) {
    const { storages } = await engine.planDelete(id)
    expect(storages.flatMap(({ heldBy }) => heldBy)).toContain(reason)
    await expect(engine.delete(id)).rejects.toMatchObject({ code: 'DELETE_REFUSED' })
  }
  await engine.unkeep(kept)
  await engine.delete(kept)
  await engine.delete(plain)
  expect((await engine.list('app')).items.map(({ id }) => id)).toEqual([newest, checked])
})

test('a storage that cannot be asked stops it: nothing is deleted anywhere', async () => {
  let isDown = false
  const far = memory()
  const list: Storage['list'] = (options) =>
    isDown ? Promise.reject(new BackupError('STORAGE_DENIED', 'Forbidden.')) : far.list(options)
  const { engine, make } = await setUp({ near: memory(), far: { ...far, list } })
  const [old] = [await make(), await make()]
  isDown = true
  await expect(engine.delete(old)).rejects.toMatchObject({ code: 'STORAGE_DENIED' })
  expect((await engine.list('app', { from: 'near' })).items).toHaveLength(2)
})
