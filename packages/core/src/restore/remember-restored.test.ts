import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CaptureClient, createCaptureClient } from '../capture/client.ts'
import { readSpoolState } from '../spool/state.ts'
import { dateBack, rememberRestored } from './remember-restored.ts'

const manifest = { created: '2026-11-20T03:00:00.123Z' }
let root: string
let capture: CaptureClient
let count = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'remember-'))
  capture = createCaptureClient()
})
afterAll(async () => {
  await capture.close()
  rmSync(root, { recursive: true })
})

/** A database that has just got its name, and what the spool knows of it when `meanwhile` has happened. */
async function remembered(journalMode: string, meanwhile: (path: string) => unknown): Promise<string | undefined> {
  const spoolDir = join(root, String(++count))
  mkdirSync(spoolDir)
  const target = join(spoolDir, 'app.db')
  const db = new BetterSqlite(target)
  db.pragma(`journal_mode = ${journalMode}`)
  db.exec('CREATE TABLE t (n)')
  db.close()
  await dateBack(target, manifest)
  const open = meanwhile(target)
  await rememberRestored({ capture, manifest, target, spoolDir, signal: undefined })
  if (open instanceof BetterSqlite) open.close()
  return (await readSpoolState(spoolDir)).fingerprint
}

function write(path: string): BetterSqlite.Database {
  const db = new BetterSqlite(path)
  db.exec('INSERT INTO t VALUES (1)')
  return db
}

test.each(['wal', 'delete'])('what nobody wrote to since is known to be as its backup (%s)', async (mode) => {
  expect(await remembered(mode, () => {})).toMatch(/^[0-9a-f]{64}$/)
  expect(await remembered(mode, (path) => new BetterSqlite(path).prepare('SELECT * FROM t').all())).toBeDefined()
})

test.each(['wal', 'delete'])('what another process wrote to in the meantime is not (%s)', async (mode) => {
  expect(await remembered(mode, write)).toBeUndefined()
  expect(await remembered(mode, (path) => write(path).close())).toBeUndefined()
})
