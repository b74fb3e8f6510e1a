import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeEach, expect, onTestFinished, test } from 'vitest'
import { createCaptureClient } from '../capture/client.ts'
import { hasInterruptedRestore, recoverRestore } from './leftovers.ts'

const capture = createCaptureClient()
let dir: string
let spoolDir: string
let target: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'leftovers-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  spoolDir = join(dir, 'spool')
  target = join(dir, 'data', 'app.db')
  for (const folder of [spoolDir, dirname(target)]) mkdirSync(folder)
})
afterAll(() => capture.close())

function write(file: string, content: unknown): string {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}

function journalModeOf(file: string): unknown {
  const database = new BetterSqlite(file)
  try {
    return database.pragma('journal_mode', { simple: true })
  } finally {
    database.close()
  }
}

test('what the record of a killed restore names is removed or handed over', async () => {
  const temp = write(join(dirname(target), '.app.db.0123456789ab.tmp'), 'half')
  const journal = write(`${temp}-journal`, 'half')
  const safetyCopy = write(join(spoolDir, 'pre-restore-0123456789ab.db'), 'replaced')
  const draft = write(`${safetyCopy}.draft`, 'half')
  write(join(spoolDir, 'restore.json'), { temp, safetyCopy })
  expect(await recoverRestore(capture, { spoolDir, target })).toEqual({ safetyCopy })
  for (const file of [temp, journal, draft]) expect(existsSync(file)).toBe(false)
})

test('files that no restore makes are left alone, wherever a record says they are', async () => {
  const temp = write(join(dir, 'precious.txt'), 'precious')
  const safetyCopy = write(join(dir, 'precious.db'), 'precious')
  const draft = write(`${safetyCopy}.draft`, 'precious')
  const beside = write(join(dirname(target), 'precious.tmp'), 'precious')
  const elsewhere = write(join(dir, '.app.db.0123456789ab.tmp'), 'precious')
  for (const record of [
    { temp, safetyCopy },
    { temp: beside },
    { temp: elsewhere },
    { temp: target },
    { temp: 1 },
    null,
  ]) {
    write(join(spoolDir, 'restore.json'), record)
    expect(await recoverRestore(capture, { spoolDir, target })).toEqual({})
    expect(await hasInterruptedRestore(spoolDir)).toBe(false)
  }
  for (const file of [temp, safetyCopy, draft, beside, elsewhere]) expect(readFileSync(file, 'utf8')).toBe('precious')
})

test('a record that was moved with its folders still finds its files', async () => {
  const temp = write(join(dirname(target), '.app.db.0123456789ab.tmp'), 'half')
  const safetyCopy = write(join(spoolDir, 'pre-restore-0123456789ab.db'), 'replaced')
  write(join(spoolDir, 'restore.json'), {
    temp: '/before/data/.app.db.0123456789ab.tmp',
    safetyCopy: '/before/spool/pre-restore-0123456789ab.db',
  })
  expect(await recoverRestore(capture, { spoolDir, target })).toEqual({ safetyCopy })
  expect(existsSync(temp)).toBe(false)
})

test('of a killed publish no other database is opened than the one that is asked for', async () => {
  const other = join(dir, 'other.db')
  for (const file of [other, target]) new BetterSqlite(file).exec('CREATE TABLE t(id)').close()
  const record = join(spoolDir, 'publish-intent.json')
  write(record, { target: other, wasWal: true })
  await recoverRestore(capture, { spoolDir, target })
  expect([other, target].map(journalModeOf)).toEqual(['delete', 'delete'])
  expect(existsSync(record)).toBe(false)

  write(record, { target, wasWal: true })
  await recoverRestore(capture, { spoolDir, target })
  expect([other, target].map(journalModeOf)).toEqual(['delete', 'wal'])
})
