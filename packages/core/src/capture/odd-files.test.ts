import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { isRacy } from './quiet.ts'
import { backUp, sha256, tempDir, testClient } from './testing/fixture.ts'

function makeDatabase(path: string, journalMode: string): Database.Database {
  const database = new Database(path)
  database.pragma(`journal_mode = ${journalMode}`)
  database.exec("CREATE TABLE t(a); INSERT INTO t VALUES('x'), (zeroblob(9000))")
  return database
}

test.each(['WAL', 'DELETE'])(
  'a database in mode %s whose schema only another SQLite can parse, as of libsql, is captured byte for byte',
  async (journalMode) => {
    const path = join(tempDir(), 'app.db')
    const app = makeDatabase(path, journalMode)
    app.unsafeMode()
    app.pragma('writable_schema = ON')
    app.exec("UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a) RANDOM ROWID'")
    app.close()
    const { image, result } = await backUp(testClient(), path)
    expect(sha256(image)).toBe(sha256(path))
    expect(result.source).toMatchObject({ journalMode: journalMode === 'WAL' ? 'wal' : 'rollback', pageCount: 4 })
    expect(result.source.schemaHash).toBeUndefined()
  },
)

test('a log beside a header of rollback mode counts, as it does for SQLite', async () => {
  const path = join(tempDir(), 'app.db')
  makeDatabase(path, 'DELETE').close()
  // What stays when somebody copies a database over one that was killed.
  writeFileSync(`${path}-wal`, Buffer.alloc(5000, 7))
  const app = new Database(path)
  expect(app.pragma('journal_mode', { simple: true })).toBe('wal')
  const client = testClient()
  app.exec("INSERT INTO t VALUES('in the log')")
  const before = await client.inspect({ path })
  const { image, result } = await backUp(client, path)
  expect(before).toMatchObject({ journalMode: 'wal', fingerprint: result.fingerprint })
  app.exec("INSERT INTO t VALUES('later')")
  expect((await client.inspect({ path })).fingerprint).not.toBe(before.fingerprint)
  app.close()
  const copy = new Database(image, { readonly: true })
  expect(copy.prepare("SELECT count(*) FROM t WHERE a = 'in the log'").pluck().get()).toBe(1)
  copy.close()
})

test('what a file has behind its last page, as with SQLITE_FCNTL_CHUNK_SIZE, keeps no writer waiting and is left off', async () => {
  const path = join(tempDir(), 'app.db')
  makeDatabase(path, 'DELETE').close()
  const pages = readFileSync(path)
  appendFileSync(path, Buffer.alloc(50_000))
  // Until the times of the file say that nobody writes it.
  await delay(100)
  const { image } = await backUp(testClient(), path, { maxBlockMs: 0 })
  expect(readFileSync(image).equals(pages)).toBe(true)
})

test('a file whose times count whole seconds may have been written again within the same one', () => {
  const ctimeNs = 1_800_000_000_000_000_000n
  const ctimeMs = Number(ctimeNs / 1_000_000n)
  expect(isRacy({ ctimeNs, seenAtMs: ctimeMs + 1_900 })).toBe(true)
  expect(isRacy({ ctimeNs, seenAtMs: ctimeMs + 3_000 })).toBe(false)
  expect(isRacy({ ctimeNs: ctimeNs + 1n, seenAtMs: ctimeMs + 10 })).toBe(true)
  expect(isRacy({ ctimeNs: ctimeNs + 1n, seenAtMs: ctimeMs + 1_900 })).toBe(false)
})
