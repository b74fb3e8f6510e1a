import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, expect, test } from 'vitest'
import { createCaptureClient } from '../capture/client.ts'
import { listBackups } from '../catalog/list-backups.ts'
import { resolveBackup } from '../catalog/resolve-backup.ts'
import { profiles } from '../config/profile.ts'
import { makeDirDurably } from '../spool/durable.ts'
import { openSpool } from '../spool/spool.ts'
import { faulty } from '../storage/faulty.ts'
import { memory } from '../storage/memory.ts'
import { readObject, type Storage } from '../storage/storage.ts'
import { type RunBackup, type RunBackupEvent, runBackup } from './run-backup.ts'
import { storePending } from './store-pending.ts'

const capture = createCaptureClient({ lingerMs: 100 })
const open: Database.Database[] = []

afterEach(() => {
  for (const db of open.splice(0)) db.close()
})

async function liveDatabase() {
  const dir = mkdtempSync(join(tmpdir(), 'run-backup-'))
  const path = join(dir, 'app.db')
  const db = new Database(path)
  open.push(db)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)')
  db.exec("INSERT INTO notes (text) SELECT 'note ' || value FROM json_each('[1,2,3,4,5]')")
  const spoolDir = join(dir, '.sqlite-backup', 'app.db')
  await makeDirDurably(spoolDir)
  const storage = memory()
  const run: RunBackup = {
    database: 'app',
    path,
    spoolDir,
    storages: [{ name: 'memory', storage }],
    require: 'all',
    tier: 'manual',
    trigger: 'manual',
    engine: { version: '0.0.0', sqlite: '3', node: '24' },
    compression: 'zst',
    level: 3,
    profile: profiles.default,
    maxPinMs: 5000,
    maxBlockMs: 500,
    reserveBytes: 0,
    lockWaitMs: 1000,
    ifChanged: false,
  }
  return { dir, path, db, storage, spoolDir, run }
}

test('a live database becomes a body, a manifest and an entry in the list', async () => {
  const { dir, storage, run, spoolDir } = await liveDatabase()
  const result = await runBackup(run, capture)
  const { manifest } = await resolveBackup(storage, 'app', 'latest')
  expect(manifest.id).toBe(result.id)
  expect(manifest.source).toMatchObject({ journalMode: 'wal', pageSize: 4096 })

  const body = await readObject(storage, manifest.body)
  expect(body.length).toBe(manifest.stored.sizeBytes)
  const copy = join(dir, 'copy.db')
  writeFileSync(`${copy}.zst`, body)
  execFileSync('zstd', ['-dq', `${copy}.zst`])
  expect(rows(copy)).toBe(5)
  expect(readdirSync(spoolDir).filter((name) => name.endsWith('.body'))).toEqual([])
})

test('nothing is copied again while nothing has changed, and one commit changes that', async () => {
  const { db, run, storage } = await liveDatabase()
  const first = await runBackup(run, capture)
  const second = await runBackup({ ...run, ifChanged: true }, capture)
  expect(second).toMatchObject({ outcome: 'unchanged', id: first.id })
  db.exec("INSERT INTO notes (text) VALUES ('new')")
  const third = await runBackup({ ...run, ifChanged: true }, capture)
  expect(third.outcome).toBe('stored')
  expect(await count(listBackups(storage, { database: 'app' }))).toBe(2)
  expect(third.manifest?.lineage.parent).toBe(first.id)
})

test('an upload may take longer than a day while others look into the spool; what killed runs left is removed', async () => {
  const { run, path, storage, spoolDir } = await liveDatabase()
  const aDayAgo = new Date(Date.now() - 25 * 3600_000)
  const left = join(spoolDir, '0123456789abcdef.body')
  writeFileSync(left, 'half')
  utimesSync(left, aDayAgo, aDayAgo)
  const broken = faulty(memory(), [{ on: 'put', times: 99, code: 'STORAGE_DENIED' }])
  const slow: Storage = {
    ...storage,
    async put(key, body, options) {
      // Its end is known only once the capture is over.
      if ((await body.size) > 0 && key.includes('/backups/')) {
        const bodies = readdirSync(spoolDir).filter((name) => name.endsWith('.body'))
        expect(bodies).toHaveLength(1)
        for (const name of bodies) utimesSync(join(spoolDir, name), aDayAgo, aDayAgo)
        await openSpool({ path, spoolDir })
      }
      return storage.put(key, body, options)
    },
  }
  const storages = [
    { name: 'slow', storage: slow },
    { name: 'bad', storage: broken },
  ]
  const result = await runBackup({ ...run, storages, require: 'any' }, capture)
  expect(existsSync(left)).toBe(false)
  // The body was still there to be kept for the storage that lacks it.
  const mended = memory()
  expect(await storePending(spoolDir, { storages: [{ name: 'bad', storage: mended }] })).toEqual([result.id])
})

test('with require "any" one storage is enough; what the other lacks waits in the spool and is stored later', async () => {
  const { run, storage, spoolDir } = await liveDatabase()
  const broken = faulty(memory(), [{ on: 'put', times: 99, code: 'STORAGE_DENIED' }])
  const storages = [
    { name: 'good', storage },
    { name: 'bad', storage: broken },
  ]
  const result = await runBackup({ ...run, storages, require: 'any' }, capture)
  expect(result.storages).toMatchObject([{ ok: true }, { ok: false, error: { code: 'STORAGE_DENIED' } }])
  expect(result.warnings.join()).toContain('bad does not have it: ')

  const mended = memory()
  const stored = await storePending(spoolDir, { storages: [{ name: 'bad', storage: mended }] })
  expect(stored).toEqual([result.id])
  expect((await resolveBackup(mended, 'app', 'latest')).manifest).toEqual(result.manifest)
  expect(await storePending(spoolDir, { storages: [{ name: 'bad', storage: mended }] })).toEqual([])
})

test('with require "all" a failing storage fails the run, says which and why, and the others keep what they have', async () => {
  const { run, storage } = await liveDatabase()
  const broken = faulty(memory(), [{ on: 'put', times: 99, code: 'STORAGE_DENIED' }])
  const storages = [
    { name: 'good', storage },
    { name: 'bad', storage: broken },
  ]
  await expect(runBackup({ ...run, storages }, capture)).rejects.toMatchObject({
    code: 'BACKUP_FAILED',
    message: expect.stringMatching(/did not reach bad\. bad: /),
  })
  expect(await count(listBackups(storage, { database: 'app' }))).toBe(1)
})

test('a missing and an empty database are told apart, and neither makes a backup', async () => {
  const { dir, run, storage } = await liveDatabase()
  await expect(runBackup({ ...run, path: join(dir, 'gone.db') }, capture)).rejects.toMatchObject({
    code: 'DATABASE_MISSING',
  })
  writeFileSync(join(dir, 'empty.db'), '')
  await expect(runBackup({ ...run, path: join(dir, 'empty.db') }, capture)).rejects.toMatchObject({
    code: 'DATABASE_EMPTY',
  })
  expect(await count(listBackups(storage, { database: 'app' }))).toBe(0)
})

test('an aborted run, and one whose capture process was killed, leaves neither a body nor a spool file', async () => {
  const { run, storage, spoolDir, db } = await liveDatabase()
  db.exec(
    'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) INSERT INTO notes (text) SELECT hex(randomblob(200)) FROM n',
  )
  const events = new Set<string>()
  // So that it cannot be done before it is killed.
  const slow = createCaptureClient({ env: { SQLITE_BACKUP_TEST_PAUSE: 'read:30000' } })
  for (const code of ['ABORTED', 'CAPTURE_DIED']) {
    const controller = new AbortController()
    const onEvent = ({ kind }: RunBackupEvent): void => {
      events.add(kind)
      if (code === 'ABORTED') controller.abort()
      else if (slow.pid !== undefined) process.kill(slow.pid, 'SIGKILL')
    }
    const failing = runBackup({ ...run, signal: controller.signal, onEvent }, slow)
    await expect(failing).rejects.toMatchObject({ code })
    expect((await storage.list()).objects).toEqual([])
    expect(readdirSync(spoolDir).filter((name) => name.endsWith('.body'))).toEqual([])
  }
  await slow.close()
  // Neither is a fault of the storage.
  expect([...events]).toEqual(['capturing'])
})

function rows(path: string): number {
  const db = new Database(path)
  try {
    return (db.prepare('SELECT count(*) AS n FROM notes').get() as { n: number }).n
  } finally {
    db.close()
  }
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let n = 0
  for await (const _ of items) n++
  return n
}
