import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import Database from 'better-sqlite3'
import { describe, expect, test } from 'vitest'
import type { ErrorCode } from '../errors.ts'
import { captureBackup } from './backup.ts'
import type { CapturedBackup } from './protocol.ts'
import { backUp, plainEncoding, readBooks, sha256, startApp, tempDir, testClient, until } from './testing/fixture.ts'

/** A closed database of a few pages. */
function makeDatabase(path: string, journalMode = 'WAL'): void {
  const database = new Database(path)
  database.pragma(`journal_mode = ${journalMode}`)
  database.exec("CREATE TABLE t(a); INSERT INTO t VALUES('x'), (zeroblob(9000))")
  database.close()
}

function patch(path: string, position: number, bytes: Buffer): void {
  execFileSync('dd', [`of=${path}`, 'bs=1', `seek=${position}`, 'conv=notrunc', 'status=none'], { input: bytes })
}

/** What a process has open, by name. */
function openFiles(pid: number | undefined): string[] {
  if (pid === undefined) return []
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch (error) {
      // Closed meanwhile.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
      throw error
    }
  })
}

describe('what cannot be backed up is refused with its own code and a hint, and leaves nothing in the spool:', () => {
  test.each<[string, ErrorCode, (path: string) => void]>([
    ['a missing file', 'DATABASE_MISSING', () => {}],
    ['a missing folder', 'DATABASE_MISSING', (path) => rmSync(join(path, '..'), { recursive: true })],
    ['a dangling link', 'DATABASE_MISSING', (path) => execFileSync('ln', ['-s', '/nowhere/at/all', path])],
    ['a folder', 'DATABASE_INVALID', (path) => mkdirSync(path)],
    ['a file of 0 bytes', 'DATABASE_EMPTY', (path) => writeFileSync(path, '')],
    [
      'a text',
      'DATABASE_INVALID',
      (path) => writeFileSync(path, 'Not a database, but quite a long text.\n'.repeat(200)),
    ],
    ['a gzip file', 'DATABASE_INVALID', (path) => writeFileSync(path, gzipSync(randomBytes(9000)))],
    ['an encrypted database', 'DATABASE_ENCRYPTED', (path) => writeFileSync(path, randomBytes(4096 * 5))],
    [
      'a header that ends too early',
      'DATABASE_INVALID',
      (path) => {
        makeDatabase(path)
        truncateSync(path, 60)
      },
    ],
    [
      'a header with an impossible page size',
      'DATABASE_INVALID',
      (path) => {
        makeDatabase(path)
        patch(path, 16, Buffer.from([0x03, 0xe9]))
      },
    ],
    [
      'a header with a format of the future',
      'DATABASE_INVALID',
      (path) => {
        makeDatabase(path)
        patch(path, 18, Buffer.from([3, 3]))
      },
    ],
  ])('%s', async (_, code, make) => {
    const path = join(tempDir(), 'app.db')
    make(path)
    const spoolDir = tempDir()
    const client = testClient()
    await expect(backUp(client, path, { spoolDir })).rejects.toMatchObject({ code, hint: expect.any(String) })
    expect(readdirSync(spoolDir)).toEqual([])
    if (code === 'DATABASE_MISSING') expect(await client.inspect({ path })).toMatchObject({ state: 'missing' })
    else if (code === 'DATABASE_EMPTY') expect(await client.inspect({ path })).toMatchObject({ state: 'empty' })
    else await expect(client.inspect({ path })).rejects.toMatchObject({ code })
  })

  test('a database that its app locks for itself', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, lockingMode: 'EXCLUSIVE', gapMs: 1 })
    await expect(backUp(testClient(), path)).rejects.toMatchObject({
      code: 'DATABASE_BUSY',
      hint: expect.stringContaining('EXCLUSIVE'),
    })
    expect((await app.stop()).errors).toEqual({})
  })

  test.skipIf(process.platform !== 'linux').each(['WAL', 'DELETE'])(
    'a database in mode %s that is replaced under us',
    async (journalMode) => {
      const dir = tempDir()
      const path = join(dir, 'app.db')
      makeDatabase(path, journalMode)
      makeDatabase(join(dir, 'other.db'), journalMode)
      const spoolDir = tempDir()
      const client = testClient({ env: { SQLITE_BACKUP_TEST_PAUSE: 'read:1500' } })
      const refused = backUp(client, path, { spoolDir })
      const swapped = until('the spool file is open', () =>
        openFiles(client.pid).some((file) => file.startsWith(spoolDir)),
      )
        .then(() => delay(100))
        .then(() => renameSync(join(dir, 'other.db'), path))
      await expect(refused).rejects.toMatchObject({ code: 'DATABASE_REPLACED', hint: expect.any(String) })
      await swapped
      expect(readdirSync(spoolDir)).toEqual([])
      // The next run reads the new file.
      expect((await backUp(client, path)).result.plain.sizeBytes).toBeGreaterThan(0)
    },
  )
})

if (process.getuid?.() !== 0) console.warn('SKIPPED TESTS, folders of other users: only root can make them.')

// Root may write everywhere: the capture runs in this process, as nobody for that long.
describe.skipIf(process.getuid?.() !== 0)('a folder this process may not write to', () => {
  const nobody = 65534

  function publicDir(owner: number): string {
    const dir = tempDir()
    chmodSync(dir, 0o755)
    chownSync(dir, owner, owner)
    return dir
  }

  async function backUpAsNobody(path: string, spoolFile: string): Promise<CapturedBackup> {
    process.setegid?.(nobody)
    process.seteuid?.(nobody)
    try {
      return await captureBackup(
        { path, spoolFile, encode: plainEncoding, maxPinMs: 5_000, maxBlockMs: 500, reserveBytes: 1 },
        { signal: new AbortController().signal, emit: () => {} },
      )
    } finally {
      process.seteuid?.(0)
      process.setegid?.(0)
    }
  }

  test('still lets a closed WAL database be read whole', async () => {
    const path = join(publicDir(0), 'app.db')
    makeDatabase(path)
    const image = join(publicDir(nobody), 'image.db')
    expect((await backUpAsNobody(path, image)).source.journalMode).toBe('wal')
    expect(sha256(image)).toBe(sha256(path))
    expect(readdirSync(join(path, '..'))).toEqual(['app.db'])
  })

  test('lets a rollback-journal database be read whole', async () => {
    const path = join(publicDir(0), 'app.db')
    makeDatabase(path, 'DELETE')
    const image = join(publicDir(nobody), 'image.db')
    expect((await backUpAsNobody(path, image)).source.journalMode).toBe('rollback')
    expect(sha256(image)).toBe(sha256(path))
  })

  test('lets a WAL database that its app has open be pinned all the same', async () => {
    const path = join(publicDir(0), 'app.db')
    const app = await startApp({ path, gapMs: 0 })
    const spoolDir = publicDir(nobody)
    for (let i = 0; i < 3; i++) {
      const image = join(spoolDir, `${i}.db`)
      await backUpAsNobody(path, image)
      expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000, holes: 0 })
    }
    expect((await app.stop()).errors).toEqual({})
  })

  test('refuses a file that may not even be read', async () => {
    const path = join(publicDir(0), 'app.db')
    makeDatabase(path)
    chmodSync(path, 0o600)
    await expect(backUpAsNobody(path, join(publicDir(nobody), 'image.db'))).rejects.toMatchObject({
      code: 'DATABASE_UNREADABLE',
      hint: expect.any(String),
    })
  })
})
