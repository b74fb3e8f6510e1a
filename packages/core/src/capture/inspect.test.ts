import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { backUp, startApp, tempDir, testClient } from './testing/fixture.ts'

// The process of these tests is the app: only the client's process looks at the files.

describe.each(['WAL', 'DELETE'])('a database in mode %s', (journalMode) => {
  test('is inspected without being opened: mode, page size and sizes', async () => {
    const path = join(tempDir(), 'app.db')
    const app = new Database(path)
    app.pragma('page_size = 8192')
    app.pragma(`journal_mode = ${journalMode}`)
    app.exec('CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(100000))')
    const found = await testClient().inspect({ path })
    const wal = journalMode === 'WAL'
    expect(found).toMatchObject({ state: 'database', journalMode: wal ? 'wal' : 'rollback', pageSize: 8192 })
    expect(found.sizeBytes).toBe(Number(app.pragma('page_count', { simple: true })) * 8192)
    expect(found.walSizeBytes).toBe(wal ? statSync(`${path}-wal`).size : 0)
    expect(found.device).toBe(statSync(path).dev)
    app.close()
  })

  test('keeps its fingerprint until something is committed', async () => {
    const path = join(tempDir(), 'app.db')
    const app = new Database(path)
    app.pragma(`journal_mode = ${journalMode}`)
    app.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)')
    const client = testClient()
    const seen = new Set<string>()
    for (let i = 0; i < 3; i++) {
      // Younger than a tick of the file system's clock, a file of its own has no fingerprint that lasts.
      await delay(100)
      const { fingerprint } = await client.inspect({ path })
      expect(fingerprint).toBeDefined()
      expect((await backUp(client, path)).result.fingerprint).toBe(fingerprint)
      app.prepare('SELECT * FROM t').all()
      expect((await client.inspect({ path })).fingerprint).toBe(fingerprint)
      seen.add(String(fingerprint))
      app.exec('UPDATE t SET a = a + 1')
    }
    seen.add(String((await client.inspect({ path })).fingerprint))
    expect(seen.size).toBe(4)
    app.close()
  })
})

test('a checkpoint changes no content and no fingerprint', async () => {
  const path = join(tempDir(), 'app.db')
  const app = new Database(path)
  app.pragma('journal_mode = WAL')
  app.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)')
  const client = testClient()
  const { fingerprint } = await client.inspect({ path })
  app.pragma('wal_checkpoint(PASSIVE)')
  expect((await client.inspect({ path })).fingerprint).toBe(fingerprint)
  app.close()
})

test('a killed app’s log is read to its last commit', async () => {
  const path = join(tempDir(), 'app.db')
  const app = await startApp({ path, gapMs: 1 })
  await delay(200)
  await app.kill()
  const client = testClient()
  const { fingerprint, sizeBytes } = await client.inspect({ path })
  const { result } = await backUp(client, path)
  expect(result.fingerprint).toBe(fingerprint)
  expect(result.plain.sizeBytes).toBe(sizeBytes)
})

test('a wal-index that a killed app left is not believed when the next one keeps its own in memory', async () => {
  const path = join(tempDir(), 'app.db')
  await (await startApp({ path, isIdle: true })).kill()
  const client = testClient()
  const { fingerprint } = await client.inspect({ path })
  const app = new Database(path)
  app.pragma('locking_mode = EXCLUSIVE')
  app.exec('UPDATE counter SET n = n + 1')
  expect((await client.inspect({ path })).fingerprint).not.toBe(fingerprint)
  expect(statSync(`${path}-shm`).size).toBeGreaterThan(0)
  app.close()
})

test('a database of the same size with another value is seen to be another', async () => {
  const path = join(tempDir(), 'app.db')
  const app = new Database(path)
  app.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1)')
  await delay(100)
  const client = testClient()
  const before = await client.inspect({ path })
  app.exec('UPDATE t SET a = 2')
  await delay(100)
  const after = await client.inspect({ path })
  expect(after.sizeBytes).toBe(before.sizeBytes)
  expect(after.fingerprint).not.toBe(before.fingerprint)
  app.close()
})
