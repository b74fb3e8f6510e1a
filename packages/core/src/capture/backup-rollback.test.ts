import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { backUp, readBooks, sha256, startApp, tempDir, testClient } from './testing/fixture.ts'

describe('a rollback-journal database', () => {
  test.each(['DELETE', 'TRUNCATE', 'PERSIST', 'MEMORY'])(
    'in mode %s, written at full speed, is never captured in the middle of a transaction, and the app never fails',
    async (journalMode) => {
      const path = join(tempDir(), 'app.db')
      const app = await startApp({ path, journalMode, synchronous: 'OFF' })
      const client = testClient()
      let newest = 0
      for (let i = 0; i < 6; i++) {
        const { image, result } = await backUp(client, path)
        const books = readBooks(image)
        expect(books).toMatchObject({ integrity: 'ok', sum: 200 * 1000, accounts: 200, holes: 0 })
        expect(books.newest).toBe(books.n)
        expect(books.n).toBeGreaterThanOrEqual(newest)
        expect(result.source.journalMode).toBe('rollback')
        expect(result.pinnedMs).toBe(0)
        newest = books.n
        await delay(20)
      }
      const report = await app.stop()
      expect(report.errors).toEqual({})
      expect(newest).toBeGreaterThan(0)
    },
  )

  test('that nobody writes is captured without comparing, byte for byte, and nothing is left beside it', async () => {
    const dir = tempDir()
    const path = join(dir, 'app.db')
    await (await startApp({ path, journalMode: 'DELETE' })).stop()
    await delay(100)
    const before = sha256(path)
    const { image, result } = await backUp(testClient(), path, { maxBlockMs: 0 })
    expect(sha256(image)).toBe(before)
    expect(sha256(path)).toBe(before)
    expect(readdirSync(dir)).toEqual(['app.db'])
    expect(result.plain.sizeBytes).toBe(statSync(path).size)
  })

  test('written all the time and not to be blocked is refused, with the hint to switch to WAL', async () => {
    const dir = tempDir()
    const path = join(dir, 'app.db')
    const app = await startApp({ path, journalMode: 'DELETE', synchronous: 'OFF' })
    const spoolDir = tempDir()
    // However seldom the app has its turn on this machine, it writes something in each pause.
    const client = testClient({ env: { SQLITE_BACKUP_TEST_PAUSE: 'read:200' } })
    const refused = backUp(client, path, { maxBlockMs: 0, spoolDir })
    await expect(refused).rejects.toMatchObject({ code: 'BACKUP_WOULD_BLOCK', hint: expect.stringContaining('WAL') })
    expect(readdirSync(spoolDir)).toEqual([])
    expect((await app.stop()).errors).toEqual({})
  })

  test('whose app was killed in the middle of a commit is rolled back by SQLite first', async () => {
    const client = testClient()
    let sawHotJournal = false
    for (let i = 0; i < 8; i++) {
      const dir = tempDir()
      const path = join(dir, 'app.db')
      const app = await startApp({ path, journalMode: 'DELETE', synchronous: 'FULL' })
      await delay(30 + 10 * i)
      await app.kill()
      sawHotJournal ||= readdirSync(dir).includes('app.db-journal')
      const books = readBooks((await backUp(client, path)).image)
      expect(books).toMatchObject({ integrity: 'ok', sum: 200 * 1000, holes: 0 })
      expect(books.newest).toBe(books.n)
    }
    expect(sawHotJournal).toBe(true)
  })

  test('that becomes a WAL database, and back, is captured either way', async () => {
    const path = join(tempDir(), 'app.db')
    const client = testClient()
    for (const journalMode of ['DELETE', 'WAL', 'DELETE']) {
      const app = await startApp({ path, journalMode, gapMs: 1 })
      const { image, result } = await backUp(client, path)
      expect(result.source.journalMode).toBe(journalMode === 'WAL' ? 'wal' : 'rollback')
      expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000 })
      await app.stop()
    }
  })

  test('whose VACUUM changes the page size between two backups is captured with the new one', async () => {
    const path = join(tempDir(), 'app.db')
    await (await startApp({ path, journalMode: 'DELETE' })).stop()
    const client = testClient()
    for (const pageSize of [512, 65536]) {
      const database = new Database(path)
      database.pragma(`page_size = ${pageSize}`)
      database.exec('VACUUM')
      database.close()
      const { image, result } = await backUp(client, path)
      expect(result.source.pageSize).toBe(pageSize)
      expect(readFileSync(image).equals(readFileSync(path))).toBe(true)
    }
  })

  test('that shrinks and grows while it is captured keeps its books', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, journalMode: 'TRUNCATE', synchronous: 'OFF', vacuumEvery: 200 })
    const client = testClient()
    for (let i = 0; i < 6; i++) {
      const { image, result } = await backUp(client, path)
      expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000, holes: 0 })
      expect(statSync(image).size).toBe(result.source.pageCount * result.source.pageSize)
    }
    expect((await app.stop()).errors).toEqual({})
  })
})
