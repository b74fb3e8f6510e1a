import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import { missingBinaries } from '../storage/testing/missing-binaries.ts'
import { backUp, startApp, tempDir, testClient } from './testing/fixture.ts'

const MiB = 1024 * 1024
/** Takes seconds for a few megabytes. */
const slow = { compression: 'zst', level: 19, frameSizeBytes: MiB, inFlight: 1, pieceSizeBytes: 5 * MiB } as const
const zstdCli = missingBinaries('zstd')

interface Books {
  readonly integrity: unknown
  readonly sum: number
  readonly n: number
  readonly newest: number
}

function readPacked(image: string): Books {
  const plain = `${image}.plain`
  execFileSync('zstd', ['-dq', '-o', plain, image])
  const database = new Database(plain)
  const integrity = database.pragma('integrity_check', { simple: true })
  const row = database
    .prepare(
      'SELECT (SELECT sum(balance) FROM account) AS sum, (SELECT n FROM counter) AS n, (SELECT max(n) FROM ledger) AS newest',
    )
    .get() as Omit<Books, 'integrity'>
  database.close()
  return { integrity, ...row }
}

describe.skipIf(zstdCli.length > 0)('a pin', () => {
  test('that would be held for too long is let go, and the image is still the one it held', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, accounts: 40_000, gapMs: 5, checkpoint: { mode: 'TRUNCATE', every: 10 } })
    const began = performance.now()
    const { result, image } = await backUp(testClient(), path, { encode: slow, maxPinMs: 100 })
    expect(result.pinnedMs).toBeLessThan(performance.now() - began)
    const books = readPacked(image)
    expect(books).toMatchObject({ integrity: 'ok', sum: 40_000 * 1000 })
    expect(books.newest).toBe(books.n)
    expect((await app.stop()).errors).toEqual({})
  })

  test.skipIf(process.platform !== 'linux').each(['TRUNCATE', 'RESTART', 'FULL'])(
    'makes way for an app that waits in wal_checkpoint(%s), long before the backup is done',
    async (mode) => {
      const path = join(tempDir(), 'app.db')
      await (await startApp({ path, accounts: 40_000 })).stop()
      const client = testClient()
      // This process is the app: its event loop stands still while it waits.
      const database = new Database(path, { timeout: 60_000 })
      database.exec("UPDATE account SET note = 'before'")
      const spoolDir = tempDir()
      let packedBytes = Number.POSITIVE_INFINITY
      let isBusy: unknown
      const { image, result } = await backUp(client, path, {
        spoolDir,
        encode: slow,
        maxPinMs: 60_000,
        onEvent(event) {
          if (event.kind !== 'pinned') return
          database.exec("UPDATE account SET note = 'after' WHERE id = 1")
          isBusy = (database.pragma(`wal_checkpoint(${mode})`) as { busy: number }[])[0]?.busy
          packedBytes = statSync(join(spoolDir, readdirSync(spoolDir)[0] ?? '')).size
        },
      })
      expect(isBusy).toBe(0)
      expect(packedBytes).toBeLessThan(result.stored.sizeBytes / 2)
      database.close()
      expect(readPacked(image)).toMatchObject({ integrity: 'ok', sum: 40_000 * 1000 })
      expect(noteOf(`${image}.plain`)).toBe('before')
    },
  )
})

function noteOf(image: string): unknown {
  const database = new Database(image)
  const row = database.prepare('SELECT note FROM account WHERE id = 1').get()
  database.close()
  return (row as { note: string }).note
}

describe('private memory of the capture process', () => {
  const privateBytes = (pid: number): number => {
    const [, kilobytes] = /Private_Dirty:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
    return Number(kilobytes) * 1024
  }

  test.skipIf(process.platform !== 'linux')(
    'stays below 60 MB in the small profile, whatever the size of the database',
    async () => {
      const path = join(tempDir(), 'app.db')
      const database = new Database(path)
      database.pragma('journal_mode = WAL')
      database.exec('CREATE TABLE t(a)')
      const client = testClient({ profile: 'small' })
      const small = { compression: 'zst', level: 3, frameSizeBytes: MiB, inFlight: 2, pieceSizeBytes: 5 * MiB } as const
      for (const megabytes of [20, 180]) {
        database.exec(
          `INSERT INTO t SELECT randomblob(100000) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${megabytes * 10}) SELECT i FROM n)`,
        )
        let most = 0
        await backUp(client, path, {
          encode: small,
          onEvent: () => {
            most = Math.max(most, privateBytes(Number(client.pid)))
          },
        })
        expect(most).toBeGreaterThan(0)
        expect(most).toBeLessThan(60 * MiB)
      }
      database.close()
    },
  )
})
