import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { missingBinaries } from '../storage/testing/missing-binaries.ts'
import { backUp, readBooks, sha256, startApp, tempDir, testClient } from './testing/fixture.ts'

/** What SQLite itself would copy at this moment, for a database nobody writes to. */
function frozenCopy(path: string): Buffer {
  const copy = join(tempDir(), 'copy.db')
  for (const ending of ['', '-wal']) if (existsSync(path + ending)) copyFileSync(path + ending, copy + ending)
  const database = new Database(copy)
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
  return readFileSync(copy)
}

describe('a WAL database', () => {
  test.each([512, 1024, 4096, 16384, 65536])(
    'with pages of %i bytes is captured page by page as SQLite sees it',
    async (pageSize) => {
      const path = join(tempDir(), 'app.db')
      const app = await startApp({ path, pageSize, isIdle: true })
      const client = testClient()
      // Part of it in the file, part in the log, some pages in both.
      const database = new Database(path)
      database.exec("UPDATE account SET note = 'a'")
      database.pragma('wal_checkpoint(PASSIVE)')
      database.exec("UPDATE account SET note = 'b' WHERE id % 2; DELETE FROM account WHERE id > 150")
      const { result, image } = await backUp(client, path)
      expect(result.source).toMatchObject({ pageSize, journalMode: 'wal' })
      expect(readFileSync(image).equals(frozenCopy(path))).toBe(true)
      database.close()
      await app.stop()
    },
  )

  test.each([{ synchronous: 'NORMAL' }, { synchronous: 'OFF', vacuumEvery: 3000 }, { gapMs: 1, vacuumEvery: 50 }])(
    'written at full speed (%o) is never captured in the middle of a transaction',
    async (options) => {
      const path = join(tempDir(), 'app.db')
      const app = await startApp({ path, ...options })
      const client = testClient()
      let newest = 0
      for (let i = 0; i < 12; i++) {
        const { image, events, result } = await backUp(client, path, { maxPinMs: i % 3 === 0 ? 0 : 5_000 })
        const books = readBooks(image)
        expect(books).toMatchObject({ integrity: 'ok', sum: 200 * 1000, accounts: 200, holes: 0 })
        expect(books.newest).toBe(books.n)
        expect(books.n).toBeGreaterThanOrEqual(newest)
        newest = books.n
        expect(statSync(image).size).toBe(result.source.pageCount * result.source.pageSize)
        expect(events[0]?.kind).toBe('pinned')
        await delay(30)
      }
      const report = await app.stop()
      expect(report.errors).toEqual({})
      expect(newest).toBeGreaterThan(0)
    },
  )

  test.each(['RESTART', 'TRUNCATE'] as const)(
    'whose app calls wal_checkpoint(%s) during backups is captured whole, and the app never fails',
    async (mode) => {
      const path = join(tempDir(), 'app.db')
      const app = await startApp({ path, gapMs: 0, checkpoint: { mode, every: 20 } })
      const client = testClient()
      for (let i = 0; i < 15; i++) {
        const { image } = await backUp(client, path)
        expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000, holes: 0 })
      }
      const report = await app.stop()
      expect(report.errors).toEqual({})
      expect(report.checkpoints).toBeGreaterThan(0)
    },
  )

  test('killed over and over by kill -9 never shows a transaction that was not committed', async () => {
    const path = join(tempDir(), 'app.db')
    const client = testClient()
    for (let i = 0; i < 6; i++) {
      const app = await startApp({ path, synchronous: 'FULL' })
      const running = backUp(client, path)
      await delay(20 + 20 * i)
      await app.kill()
      const [during, after] = [await running, await backUp(client, path)]
      for (const { image } of [during, after]) {
        const books = readBooks(image)
        expect(books).toMatchObject({ integrity: 'ok', sum: 200 * 1000, holes: 0 })
        expect(books.newest).toBe(books.n)
      }
    }
  })

  test('whose app closes during the backup is captured, and left as one file like after a clean close', async () => {
    const dir = tempDir()
    const path = join(dir, 'app.db')
    const app = await startApp({ path })
    await delay(200)
    const client = testClient()
    let stopped: Promise<unknown> = Promise.resolve()
    const { image } = await backUp(client, path, {
      onEvent: (event) => {
        if (event.kind === 'pinned') stopped = app.stop()
      },
    })
    await stopped
    expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000 })
    expect(readdirSync(dir)).toEqual(['app.db'])
  })

  test('without -wal and -shm, since no process has it open, stays byte for byte and gets no such files', async () => {
    const dir = tempDir()
    const path = join(dir, 'app.db')
    await (await startApp({ path })).stop()
    expect(readdirSync(dir)).toEqual(['app.db'])
    const before = sha256(path)
    const { image } = await backUp(testClient(), path)
    expect(sha256(image)).toBe(before)
    expect(sha256(path)).toBe(before)
    expect(readdirSync(dir)).toEqual(['app.db'])
  })

  test('left behind by a killed app keeps its file and its log byte for byte', async () => {
    const dir = tempDir()
    const path = join(dir, 'app.db')
    const app = await startApp({ path, gapMs: 1 })
    await delay(300)
    await app.kill()
    const before = [sha256(path), sha256(`${path}-wal`)]
    const client = testClient()
    const { image, result } = await backUp(client, path)
    expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000 })
    expect([sha256(path), sha256(`${path}-wal`)]).toEqual(before)
    expect((await client.inspect({ path })).fingerprint).toBe(result.fingerprint)
  })

  test('that is open but idle stays byte for byte, its log too', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, isIdle: true })
    const before = [sha256(path), sha256(`${path}-wal`)]
    const client = testClient()
    await backUp(client, path)
    await backUp(client, path)
    expect([sha256(path), sha256(`${path}-wal`)]).toEqual(before)
    await app.stop()
  })

  test('in a folder whose name is hard to quote is found, by its symbolic link too', async () => {
    const dir = join(tempDir(), 'ein Ordner mit ä, 100 %41 ? # & \' " \\ 数据')
    mkdirSync(dir)
    const path = join(dir, 'データ ?mode=memory#%20.db')
    const app = await startApp({ path })
    const client = testClient()
    const link = join(tempDir(), 'link.db')
    execFileSync('ln', ['-s', path, link])
    for (const name of [path, link]) {
      const { image } = await backUp(client, name)
      expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000, holes: 0 })
    }
    await app.stop()
    expect(readdirSync(dir)).toEqual(['データ ?mode=memory#%20.db'])
  })

  test('written through libsql is captured', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, driver: 'libsql' })
    const client = testClient()
    for (let i = 0; i < 5; i++) {
      const { image } = await backUp(client, path)
      expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000, holes: 0 })
    }
    expect((await app.stop()).errors).toEqual({})
  })
})

describe.skipIf(missingBinaries('sqlite3').length > 0)('an older SQLite', () => {
  test('as the writer does not mind, and is captured whole', async () => {
    const path = join(tempDir(), 'app.db')
    const script = `${path}.sql`
    const inserts = Array.from(
      { length: 3000 },
      (_, i) => `BEGIN; UPDATE a SET n = n + 1; INSERT INTO b VALUES(${i + 1}, randomblob(500)); COMMIT;`,
    )
    writeFileSync(
      script,
      `.bail on\nPRAGMA journal_mode=WAL;\nCREATE TABLE a(n); INSERT INTO a VALUES(0); CREATE TABLE b(n, x);\n${inserts.join('\n')}\n`,
    )
    const { spawn } = await import('node:child_process')
    const writer = spawn('sqlite3', [path, `.read ${script}`], { stdio: ['ignore', 'ignore', 'inherit'] })
    const exit = new Promise((resolve) => writer.once('exit', resolve))
    while (!existsSync(`${path}-wal`)) await delay(5)
    const client = testClient()
    for (let i = 0; i < 5; i++) {
      const { image } = await backUp(client, path)
      const database = new Database(image)
      expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
      const tables = database.prepare('SELECT count(*) AS n FROM sqlite_schema').get()
      if ((tables as { n: number }).n === 2) {
        const row = database.prepare('SELECT (SELECT n FROM a) AS n, (SELECT count(*) FROM b) AS m').get() as {
          n: number
          m: number
        }
        expect(row.m).toBe(row.n ?? 0)
      }
      database.close()
    }
    expect(await exit).toBe(0)
  })
})
