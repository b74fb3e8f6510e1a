import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { catalogKey } from '../catalog/keys.ts'
import type { Manifest } from '../catalog/manifest.ts'
import { openBackup } from '../engine.ts'
import type { SqliteBackup } from '../engine-api.ts'
import { faulty } from '../storage/faulty.ts'
import { memory } from '../storage/memory.ts'
import { bytesBody, type Storage } from '../storage/storage.ts'

let dir: string
let path: string
let disk: Storage
const opened: SqliteBackup[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'verify-reference-'))
  path = join(dir, 'app.db')
  disk = memory()
  const db = new Database(path)
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)')
  db.close()
})
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
  rmSync(dir, { recursive: true })
})

async function open(storage: Storage): Promise<SqliteBackup> {
  const engine = await openBackup({ databases: { app: path }, storages: { disk: storage } })
  opened.push(engine)
  return engine
}

async function threeBackups(): Promise<readonly [Manifest, Manifest, Manifest]> {
  const engine = await open(disk)
  const make = async (): Promise<Manifest> => {
    const { manifest } = await engine.backup('app')
    if (manifest === undefined) throw new Error('No backup was made.')
    return manifest
  }
  return [await make(), await make(), await make()]
}

test('of all, one whose manifest is damaged has failed, and the others are verified', async () => {
  const [first, damaged, last] = await threeBackups()
  await disk.put(catalogKey(damaged), bytesBody(Buffer.from('{')))
  const engine = await open(disk)
  const failed: string[] = []
  engine.on('verify.failed', ({ id }) => failed.push(id))
  expect(await engine.verifyAll()).toMatchObject([
    { id: last.id, record: { outcome: 'ok' } },
    { id: damaged.id, record: { outcome: 'failed', error: { code: 'MANIFEST_INVALID' } } },
    { id: first.id, record: { outcome: 'ok' } },
  ])
  expect(failed).toEqual([damaged.id])
})

test('of all, one that was pruned since it was listed is no failure', async () => {
  const [first, pruned, last] = await threeBackups()
  const meanwhile = faulty(disk, [
    { on: 'get', key: new RegExp(catalogKey(pruned)), times: 99, code: 'OBJECT_MISSING' },
  ])
  const results = await (await open(meanwhile)).verifyAll()
  expect(results.map(({ id, record }) => [id, record.outcome])).toEqual([
    [last.id, 'ok'],
    [first.id, 'ok'],
  ])
})

test('with a key that may only read, what was found is told', async () => {
  const [, , last] = await threeBackups()
  const engine = await open(faulty(disk, [{ on: 'put', times: 99, code: 'STORAGE_DENIED' }]))
  const succeeded: string[] = []
  engine.on('verify.succeeded', ({ id }) => succeeded.push(id))
  const { record, warnings } = await engine.verify('latest')
  expect(record.outcome).toBe('ok')
  expect(warnings).toEqual([expect.stringContaining('What was found could not be kept in disk')])
  expect(succeeded).toEqual([last.id])
})
