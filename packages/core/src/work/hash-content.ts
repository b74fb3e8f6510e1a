import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'

/** What in the header changes though the content does not: https://sqlite.org/fileformat2.html#the_database_header */
const COUNTERS = [
  // File format versions: WAL or rollback journal.
  [18, 20],
  // File change counter.
  [24, 28],
  // Schema cookie: SQLite's Backup API, which restores, raises it.
  [40, 44],
  // version-valid-for, and the version of the SQLite that wrote last.
  [92, 100],
] as const

const CHUNK_BYTES = 1024 * 1024

/** SHA-256 over the file, with zeros for the counters in its header: equal for two captures of equal content. */
export function hashContent(file: string): string {
  const hash = createHash('sha256')
  const fd = openSync(file, 'r')
  try {
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    for (let position = 0; ; ) {
      const count = readSync(fd, buffer, 0, buffer.length, position)
      if (count === 0) return hash.digest('hex')
      if (position === 0) for (const [start, end] of COUNTERS) buffer.fill(0, start, end)
      hash.update(buffer.subarray(0, count))
      position += count
    }
  } finally {
    closeSync(fd)
  }
}
