import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { listBackups } from '../catalog/list-backups.ts'
import { resolveConfig } from '../config/resolve-config.ts'
import { createEngine } from '../engine.ts'
import type { SqliteBackup } from '../engine-api.ts'
import { BackupError } from '../errors.ts'
import type { Logger } from '../events.ts'
import { readBeats } from '../monitor/beat.ts'
import { memory } from '../storage/memory.ts'
import type { Storage } from '../storage/storage.ts'
import { createClosing } from './create-closing.ts'

let root: string
let count = 0
let dir: string
let app: BetterSqlite.Database
let server: Server

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'closing-'))
})
beforeEach(async () => {
  dir = join(root, String(count++))
  mkdirSync(dir)
  app = new BetterSqlite(join(dir, 'app.db'))
  app.pragma('journal_mode = WAL')
  app.exec('CREATE TABLE t (n)')
  server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return () => {
    server.close()
    app.close()
  }
})
afterAll(() => rmSync(root, { recursive: true }))

async function open(storage: Storage) {
  const said: string[] = []
  const say = (_fields: object, message: string): void => void said.push(message)
  const log: Logger = { debug: say, info: say, warn: say, error: say }
  const config = { databases: { app: join(dir, 'app.db') }, storages: { store: storage }, jobs: false, log } as const
  const backup = createEngine(await resolveConfig({ config, environment: {} }))
  await backup.start()
  return { backup, said }
}

/** The app goes on after the last call, and commits once more. */
async function writeAfterLastCall(backup: SqliteBackup, deadlineMs: number, lastWords: () => void): Promise<void> {
  const lastCall = new Promise((resolve) => backup.on('backup.succeeded', resolve))
  await createClosing(server, backup, { deadlineMs }).around(async () => {
    await lastCall
    lastWords()
    app.exec('INSERT INTO t VALUES (1)')
  })
}

async function countIn(storage: Storage): Promise<number> {
  let found = 0
  for await (const _each of listBackups(storage, { database: 'app' })) found++
  return found
}

test('what the app commits after the last call is backed up, too', { timeout: 60_000 }, async () => {
  const storage = memory()
  const { backup } = await open(storage)
  await writeAfterLastCall(backup, 12_000, () => {})
  expect(await countIn(storage)).toBe(2)
  expect(await readBeats(storage, 'app')).toMatchObject([{ state: 'asleep' }])
  await expect(backup.backup()).rejects.toMatchObject({ code: 'CLOSED' })

  const output = join(dir, 'other.db')
  const reader = await open(storage)
  await reader.backup.restore('latest', { output })
  await reader.backup.close()
  const copy = new BetterSqlite(output)
  expect(copy.prepare('SELECT n FROM t').pluck().all()).toEqual([1])
  copy.close()
})

test('when that cannot be stored it is said, and the app is not taken for asleep', { timeout: 60_000 }, async () => {
  const storage = memory()
  let isFull = false
  const filling: Storage = {
    ...storage,
    put: (key, ...rest) => {
      if (isFull && !key.includes('/heartbeat/')) throw new BackupError('STORAGE_DENIED', 'No more.')
      return storage.put(key, ...rest)
    },
  }
  const { backup, said } = await open(filling)
  await writeAfterLastCall(backup, 8_000, () => {
    isFull = true
  })
  expect(await countIn(storage)).toBe(1)
  expect(said.join('\n')).toMatch(/waits in the spool|There was no time for a last backup/)
  expect(await readBeats(storage, 'app')).toMatchObject([{ state: 'awake' }])
})
