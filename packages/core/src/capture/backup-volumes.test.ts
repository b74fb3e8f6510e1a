import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { backUp, readBooks, sha256, startApp, tempDir, testClient, until } from './testing/fixture.ts'

const MB = 1024 * 1024
const canMount = process.platform === 'linux' && process.getuid?.() === 0 && tryMount()
if (!canMount) console.warn('SKIPPED TESTS, full and read-only volumes: only root may mount them.')

function tryMount(): boolean {
  const dir = '/tmp/sqlite-backup-may-mount'
  mkdirSync(dir, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], { stdio: 'ignore' })
    execFileSync('umount', [dir])
    return true
  } catch {
    // A container without the right to: the warning above says so.
    return false
  }
}

/** A volume of its own, gone with the test. */
function mountVolume(sizeBytes: number): string {
  const dir = tempDir()
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', dir])
  onTestFinished(() => {
    execFileSync('umount', ['-l', dir])
  })
  return dir
}

function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir)
  return bavail * bsize
}

/** Pages that do not compress. */
function addNoise(path: string, sizeBytes: number): void {
  const database = new Database(path)
  database.exec('CREATE TABLE IF NOT EXISTS noise(x)')
  const insert = database.prepare('INSERT INTO noise VALUES (?)')
  database.transaction(() => {
    for (let i = 0; i < sizeBytes; i += MB) insert.run(randomBytes(MB))
  })()
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
}

const zstd = { compression: 'zst', level: 1, frameSizeBytes: MB, inFlight: 2, pieceSizeBytes: 5 * MB } as const

describe.skipIf(!canMount)('on a volume that is filling up', () => {
  test.each(['WAL', 'DELETE'])(
    'a backup of a %s database is refused before it writes, and the app writes on',
    async (journalMode) => {
      const volume = mountVolume(80 * MB)
      const path = join(volume, 'app.db')
      const app = await startApp({ path, journalMode, gapMs: 2 })
      const spoolDir = join(volume, 'spool')
      mkdirSync(spoolDir)
      const refused = backUp(testClient(), path, { spoolDir, reserveBytes: freeBytes(volume) })
      await expect(refused).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE', hint: expect.any(String) })
      expect(readdirSync(spoolDir)).toEqual([])
      expect((await app.stop()).errors).toEqual({})
    },
  )

  test.each(['WAL', 'DELETE'])(
    'a backup of a %s database that outgrows what may be taken stops short of the reserve and removes its part',
    async (journalMode) => {
      const volume = mountVolume(120 * MB)
      const path = join(volume, 'app.db')
      const app = await startApp({ path, journalMode, gapMs: 2 })
      addNoise(path, 40 * MB)
      const spoolDir = join(volume, 'spool')
      mkdirSync(spoolDir)
      // Room for about half of it, which is not known before.
      const reserveBytes = freeBytes(volume) - 20 * MB
      let lowest = Number.POSITIVE_INFINITY
      const watch = setInterval(() => {
        lowest = Math.min(lowest, freeBytes(volume))
      }, 2)
      const refused = backUp(testClient(), path, { spoolDir, reserveBytes, encode: zstd, maxPinMs: 60_000 })
      await expect(refused).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
      clearInterval(watch)
      // The app writes meanwhile too, and the space is looked at every 8 MB.
      expect(lowest).toBeGreaterThan(reserveBytes - 12 * MB)
      expect(readdirSync(spoolDir)).toEqual([])
      await until('the space is free again', () => freeBytes(volume) > reserveBytes)
      expect((await app.stop()).errors).toEqual({})
    },
  )

  test('a disk that others fill during the backup ends it, and the app has its room back', async () => {
    const volume = mountVolume(120 * MB)
    const path = join(volume, 'app.db')
    const app = await startApp({ path, gapMs: 2 })
    addNoise(path, 40 * MB)
    const spoolDir = join(volume, 'spool')
    mkdirSync(spoolDir)
    const client = testClient({ env: { SQLITE_BACKUP_TEST_PAUSE: 'pinned:800' } })
    const refused = backUp(client, path, { spoolDir, reserveBytes: 8 * MB, encode: zstd })
    const filled = until('the body is begun', () => readdirSync(spoolDir).length > 0).then(() =>
      writeFileSync(join(volume, 'log'), Buffer.alloc(freeBytes(volume) - 16 * MB)),
    )
    await expect(refused).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
    await filled
    expect(readdirSync(spoolDir)).toEqual([])
    rmSync(join(volume, 'log'))
    await delay(50)
    expect(readBooks((await backUp(testClient(), path)).image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000 })
    expect((await app.stop()).errors).toEqual({})
  })

  test('a pin is kept for longer, when a raw copy does not fit but the packed body does', async () => {
    const volume = mountVolume(80 * MB)
    const path = join(tempDir(), 'app.db')
    const database = new Database(path)
    database.pragma('journal_mode = WAL')
    database.exec('CREATE TABLE t(a)')
    database.exec('INSERT INTO t VALUES (zeroblob(90000000))')
    const { result } = await backUp(testClient(), path, {
      spoolDir: volume,
      maxPinMs: 0,
      encode: zstd,
      reserveBytes: MB,
    })
    expect(result.plain.sizeBytes).toBeGreaterThan(90_000_000)
    expect(statSync(join(volume, readdirSync(volume)[0] ?? '')).size).toBe(result.stored.sizeBytes)
    database.close()
  })
})

describe.skipIf(!canMount)('on a volume that is mounted read-only here', () => {
  /** One folder, writable for the app and read-only for us. */
  function mountTwice(): { appPath: string; path: string } {
    const [writable, readOnly] = [tempDir(), tempDir()]
    execFileSync('mount', ['--bind', writable, readOnly])
    onTestFinished(() => {
      execFileSync('umount', ['-l', readOnly])
    })
    execFileSync('mount', ['-o', 'remount,bind,ro', readOnly])
    return { appPath: join(writable, 'app.db'), path: join(readOnly, 'app.db') }
  }

  test('a closed WAL database is captured', async () => {
    const { appPath, path } = mountTwice()
    await (await startApp({ path: appPath })).stop()
    const { image } = await backUp(testClient(), path)
    expect(sha256(image)).toBe(sha256(appPath))
  })

  test('a WAL database that its app has open elsewhere is pinned', async () => {
    const { appPath, path } = mountTwice()
    const app = await startApp({ path: appPath, gapMs: 0 })
    const client = testClient()
    for (let i = 0; i < 3; i++) {
      expect(readBooks((await backUp(client, path)).image)).toMatchObject({
        integrity: 'ok',
        sum: 200 * 1000,
        holes: 0,
      })
    }
    expect((await app.stop()).errors).toEqual({})
  })

  test('a WAL database whose dead app left a log is refused, because it cannot be recovered without writing', async () => {
    const { appPath, path } = mountTwice()
    const app = await startApp({ path: appPath, isIdle: true })
    await app.kill()
    const spoolDir = tempDir()
    await expect(backUp(testClient(), path, { spoolDir })).rejects.toMatchObject({
      code: 'DATABASE_UNREADABLE',
      hint: expect.stringContaining('write permission'),
    })
    expect(readdirSync(spoolDir)).toEqual([])
    // Its owner can.
    expect(readBooks((await backUp(testClient(), appPath)).image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000 })
  })
})
