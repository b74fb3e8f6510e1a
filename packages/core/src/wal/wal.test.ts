import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { addToChecksum, type Checksum } from './checksum.ts'
import { isHeaderProblem, looksEncrypted, parseDatabaseHeader } from './database-header.ts'
import { createFrameIndex } from './frame-index.ts'
import { createFrameScanner, type Frame } from './frame-scanner.ts'
import { frameHeaderBytes, parseWalHeader, walHeaderBytes } from './wal-header.ts'
import { parseWalIndexHeader } from './wal-index.ts'

const dir = mkdtempSync(join(tmpdir(), 'sqlite-backup-wal-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** The files of a real database with three commits in its log, as they lie on disk while it is open. */
function realFiles(pageSize: number): { database: Buffer; wal: Buffer; shm: Buffer } {
  const path = join(mkdtempSync(join(dir, 'real-')), 'app.db')
  const database = new Database(path)
  database.pragma(`page_size = ${pageSize}`)
  database.pragma('journal_mode = WAL')
  database.exec('CREATE TABLE t(a)')
  database.exec(`INSERT INTO t VALUES(zeroblob(${pageSize * 3}))`)
  database.exec('PRAGMA user_version = 7; PRAGMA application_id = 99')
  // Drops this process's locks on them, which nobody misses here.
  const [bytes, wal, shm] = [readFileSync(path), readFileSync(`${path}-wal`), readFileSync(`${path}-shm`)]
  database.close()
  return { database: bytes, wal, shm }
}

function mustParseWal(bytes: Buffer): NonNullable<ReturnType<typeof parseWalHeader>> {
  const header = parseWalHeader(bytes)
  if (header === undefined) throw new Error('no WAL header')
  return header
}

describe.each([512, 1024, 4096, 8192, 32768, 65536])('files that SQLite wrote with pages of %i bytes', (pageSize) => {
  const { database, wal, shm } = realFiles(pageSize)

  test('have a database header that says so', () => {
    const header = parseDatabaseHeader(database)
    expect(header).toMatchObject({ pageSize, journalMode: 'wal' })
  })

  test('have a log whose frames are all valid and end with the commit the wal-index names', () => {
    const header = mustParseWal(wal)
    const index = parseWalIndexHeader(shm)
    expect(header.pageSize).toBe(pageSize)
    expect(index).toMatchObject({ pageSize, salt1: header.salt1, salt2: header.salt2 })
    const scanner = createFrameScanner(header)
    const frames: Frame[] = []
    expect(scanner.scan(wal.subarray(walHeaderBytes), (frame) => frames.push(frame))).toBe(true)
    expect(scanner.frame).toBe(index?.mxFrame)
    expect(scanner.checksum).toEqual(index?.frameChecksum)
    expect(frames.at(-1)?.commitPages).toBe(index?.nPage)
    expect(frames.map((frame) => frame.number)).toEqual(frames.map((_, i) => i + 1))
  })

  test('are scanned alike in chunks of any number of frames', () => {
    const header = mustParseWal(wal)
    const frameBytes = pageSize + frameHeaderBytes
    const body = wal.subarray(walHeaderBytes)
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 20 }), (sizes) => {
        const scanner = createFrameScanner(header)
        let at = 0
        for (const size of sizes) {
          scanner.scan(body.subarray(at, at + size * frameBytes), () => {})
          at = Math.min(body.length, at + size * frameBytes)
        }
        const whole = createFrameScanner(header)
        whole.scan(body.subarray(0, at), () => {})
        expect(scanner.frame).toBe(whole.frame)
        expect(scanner.checksum).toEqual(whole.checksum)
      }),
      { numRuns: 20 },
    )
  })

  test('stop being valid at the frame in which any byte is changed', () => {
    const header = mustParseWal(wal)
    const frameBytes = pageSize + frameHeaderBytes
    const body = wal.subarray(walHeaderBytes)
    const count = Math.floor(body.length / frameBytes)
    fc.assert(
      fc.property(fc.integer({ min: 0, max: count * frameBytes - 1 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const broken = Buffer.from(body)
        broken[at] = (broken[at] as number) ^ flip
        const scanner = createFrameScanner(header)
        expect(scanner.scan(broken, () => {})).toBe(false)
        expect(scanner.frame).toBe(Math.floor(at / frameBytes))
      }),
      { numRuns: 30 },
    )
  })

  test('have headers that a change of any byte makes unreadable', () => {
    for (let at = 0; at < walHeaderBytes; at++) {
      const broken = Buffer.from(wal.subarray(0, walHeaderBytes))
      broken[at] = (broken[at] as number) ^ 0x40
      expect(parseWalHeader(broken)).toBeUndefined()
    }
    for (let at = 0; at < 96; at++) {
      const broken = Buffer.from(shm.subarray(0, 96))
      broken[at] = (broken[at] as number) ^ 0x40
      expect(parseWalIndexHeader(broken)).toBeUndefined()
    }
  })
})

test('a log written on a machine of the other byte order is read', () => {
  // The same log with its checksums made over big-endian words, as SQLite writes it there.
  const { wal } = realFiles(4096)
  const header = mustParseWal(wal)
  const frameBytes = 4096 + frameHeaderBytes
  const other = Buffer.from(wal)
  other.writeUInt32BE(0x377f0683, 0)
  const sums: Checksum = [0, 0]
  const add = (from: number, length: number): void => {
    const words = Int32Array.from({ length: length / 4 }, (_, i) => other.readInt32BE(from + i * 4))
    addToChecksum(sums, words, 0, words.length)
  }
  add(0, 24)
  other.writeInt32BE(sums[0], 24)
  other.writeInt32BE(sums[1], 28)
  for (let at = walHeaderBytes; at + frameBytes <= other.length; at += frameBytes) {
    add(at, 8)
    add(at + frameHeaderBytes, 4096)
    other.writeInt32BE(sums[0], at + 16)
    other.writeInt32BE(sums[1], at + 20)
  }
  const found = mustParseWal(other)
  expect(found).toMatchObject({ checksumOrder: 'BE', salt1: header.salt1, pageSize: 4096 })
  const scanner = createFrameScanner(found)
  expect(scanner.scan(other.subarray(walHeaderBytes), () => {})).toBe(true)
})

test('what is too short, empty or something else is no header', () => {
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.alloc(31),
    Buffer.alloc(32),
    Buffer.alloc(96),
    Buffer.from('x'.repeat(96)),
  ]) {
    expect(parseWalHeader(bytes)).toBeUndefined()
    expect(parseWalIndexHeader(bytes)).toBeUndefined()
    expect(isHeaderProblem(parseDatabaseHeader(bytes))).toBe(true)
  }
})

test('the frame index gives the newest frame of each page, however many there are', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 0xffffffff }), { maxLength: 3000 }), (pages) => {
      const index = createFrameIndex(1)
      const model = new Map<number, number>()
      pages.forEach((page, i) => {
        index.set(page, i + 1)
        model.set(page, i + 1)
      })
      expect(index.size).toBe(model.size)
      for (const [page, frame] of model) expect(index.get(page)).toBe(frame)
      expect(index.get(0x7fffffff)).toBe(model.get(0x7fffffff) ?? 0)
    }),
    { numRuns: 50 },
  )
})

describe('a database header', () => {
  const { database } = realFiles(4096)
  const changed = (change: (bytes: Buffer) => void): ReturnType<typeof parseDatabaseHeader> => {
    const bytes = Buffer.from(database.subarray(0, 100))
    change(bytes)
    return parseDatabaseHeader(bytes)
  }

  test.each<[string, (bytes: Buffer) => void]>([
    ['a page size that is no power of two', (bytes) => bytes.writeUInt16BE(1000, 16)],
    ['a page size of 256', (bytes) => bytes.writeUInt16BE(256, 16)],
    ['a page size of 0', (bytes) => bytes.writeUInt16BE(0, 16)],
    ['other payload fractions', (bytes) => bytes.writeUInt8(65, 21)],
  ])('with %s is corrupt', (_, change) => {
    expect(changed(change)).toMatchObject({ problem: 'corrupt' })
  })

  test('with a read version of the future is of a format that nobody here knows', () => {
    expect(changed((bytes) => bytes.writeUInt8(3, 19))).toMatchObject({ problem: 'unknown-format' })
  })

  test('without its magic is not SQLite, and cut short is corrupt', () => {
    expect(changed((bytes) => bytes.write('sqlite'))).toMatchObject({ problem: 'not-sqlite' })
    expect(parseDatabaseHeader(database.subarray(0, 99))).toMatchObject({ problem: 'corrupt' })
  })
})

test('random bytes look encrypted; text, zeros and databases do not', () => {
  const { database } = realFiles(4096)
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1024, maxLength: 1024 }), (seed) => {
      const bytes = Buffer.from(seed)
      const noise = createHash('shake256', { outputLength: 4096 }).update(bytes).digest()
      expect(looksEncrypted(noise)).toBe(true)
    }),
    { numRuns: 200 },
  )
  expect(looksEncrypted(Buffer.alloc(4096))).toBe(false)
  expect(looksEncrypted(Buffer.from('{"some":"json text, long enough"}\n'.repeat(100)))).toBe(false)
  expect(looksEncrypted(database.subarray(0, 4096))).toBe(false)
})
