import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test, vi } from 'vitest'
import { env } from '../config/secret.ts'
import { openBackup } from '../engine.ts'
import { memory } from '../storage/memory.ts'

async function setUp(config: object = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'compare-'))
  const path = join(dir, 'app.db')
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)')
  const engine = await openBackup({ databases: { app: path }, storages: { disk: memory() }, jobs: false, ...config })
  onTestFinished(async () => {
    await engine.close()
    db.close()
    rmSync(dir, { recursive: true })
  })
  const add = (rows: number): void => {
    for (let i = 0; i < rows; i++) db.prepare('INSERT INTO notes (text) VALUES (?)').run(`note ${i}`)
  }
  return { dir, path, db, engine, add }
}

test('says what a restore would change, while the app writes, and leaves nothing in the spool', async () => {
  const { dir, db, engine, add } = await setUp()
  add(5)
  const { id } = await engine.backup('app')
  expect(await engine.compare(id)).toMatchObject({ basis: 'counted', isSame: true, objects: [] })
  add(3)
  db.exec(
    "UPDATE notes SET text = 'edited' WHERE id = 1; DELETE FROM notes WHERE id = 2; ALTER TABLE notes ADD COLUMN tag",
  )
  // In a transaction that is open: what is not committed is not there.
  db.exec("BEGIN; INSERT INTO notes (text) VALUES ('not yet')")
  const comparison = await engine.compare(id)
  db.exec('ROLLBACK')
  expect(comparison).toMatchObject({
    id,
    storage: 'disk',
    database: 'app',
    isSame: false,
    tables: [
      {
        name: 'notes',
        now: 7,
        after: 5,
        schema: 'changed',
        columnsGoing: ['tag'],
        columnsComing: [],
        rowsGoing: 3,
        rowsChanging: 1,
        rowsComing: 1,
      },
    ],
  })
  expect(readdirSync(join(dir, '.sqlite-backup/app.db')).filter((name) => name.includes('compare'))).toEqual([])
  expect(await engine.planRestore(id)).toMatchObject({ how: 'online', pauseMs: 1, targetSizeBytes: expect.any(Number) })
})

test('a database that is missing has everything to gain', async () => {
  const { path, db, engine, add } = await setUp()
  add(2)
  const { id } = await engine.backup('app')
  db.close()
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
  expect(await engine.compare(id)).toMatchObject({ tables: [{ name: 'notes', now: null, after: 2, schema: 'comes' }] })
})

test('too large for the limit, it copies nothing and says what a proof had counted', async () => {
  const { engine, add } = await setUp()
  add(4)
  const { id } = await engine.backup('app')
  expect(await engine.compare(id, { maxBytes: 1000 })).toMatchObject({ basis: 'recorded', tables: [] })
  await engine.verify(id, { level: 'proven' })
  expect(await engine.compare(id, { maxBytes: 1000 })).toMatchObject({
    basis: 'recorded',
    isSame: false,
    tables: [{ name: 'notes', now: null, after: 4, schema: 'unknown' }],
  })
})

test('what cannot be opened is an error, and nothing is left', async () => {
  vi.stubEnv('COMPARE_RIGHT', 'correct horse battery staple')
  vi.stubEnv('COMPARE_WRONG', 'another horse altogether')
  onTestFinished(() => void vi.unstubAllEnvs())
  const { dir, path, engine, add } = await setUp({ encryption: { passphrase: env('COMPARE_RIGHT') } })
  add(1)
  const { id } = await engine.backup('app')
  const other = await openBackup({
    databases: { app: path },
    storages: { disk: engine.storage('disk') },
    encryption: { passphrase: env('COMPARE_WRONG') },
    jobs: false,
  })
  onTestFinished(() => other.close())
  await expect(other.compare(id)).rejects.toMatchObject({ code: 'DECRYPTION_FAILED' })
  await expect(engine.compare('20200101T000000Z-aaaaaaaa')).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
  expect(readdirSync(join(dir, '.sqlite-backup/app.db')).filter((name) => name.includes('compare'))).toEqual([])
})
