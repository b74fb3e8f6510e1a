import { createHash } from 'node:crypto'
import { closeSync, createReadStream, openSync, statSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { backUp, tempDir, testClient } from './testing/fixture.ts'

const MiB = 1024 * 1024
/** The page that holds byte 2^30 is SQLite's for locks: https://sqlite.org/fileformat2.html#the_lock_byte_page */
const lockPage = 2 ** 30 / 4096 + 1

const zstd = { compression: 'zst', level: 1, frameSizeBytes: 4 * MiB, inFlight: 2, pieceSizeBytes: 8 * MiB } as const

/** A database whose file ends just before the lock page, nearly all of it a hole. */
function makeSparse(path: string, journalMode: string): void {
  const database = new Database(path)
  database.pragma(`journal_mode = ${journalMode}`)
  database.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a)')
  database.close()
  const pages = lockPage - 20
  truncateSync(path, pages * 4096)
  const header = Buffer.alloc(4)
  header.writeUInt32BE(pages)
  const fd = openSync(path, 'r+')
  writeSync(fd, header, 0, 4, 28)
  closeSync(fd)
}

async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: MiB }), hash)
  return hash.digest('hex')
}

test.each(['WAL', 'DELETE'])(
  'a %s database of more than 1 GiB is captured across its lock page',
  async (journalMode) => {
    const path = join(tempDir(), 'app.db')
    makeSparse(path, journalMode)
    const database = new Database(path)
    const insert = database.prepare('INSERT INTO t(a) VALUES (?)')
    database.transaction(() => {
      for (let i = 0; i < 100; i++) insert.run(Buffer.alloc(3000, i))
    })()
    const { result, image } = await backUp(testClient(), path, { encode: zstd, maxBlockMs: 60_000 })
    database.close()
    expect(result.source.pageCount).toBeGreaterThan(lockPage + 50)
    expect(result.plain.sizeBytes).toBe(statSync(path).size)
    // Closing has put the log into the file.
    expect(result.plain.sha256).toBe(await sha256OfFile(path))
    expect(statSync(image).size).toBeLessThan(10 * MiB)
  },
)
