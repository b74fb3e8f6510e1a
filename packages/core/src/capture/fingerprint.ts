import { createHash, randomBytes } from 'node:crypto'
import { fstatSync } from 'node:fs'
import { parseDatabaseHeader } from '../wal/database-header.ts'
import type { WalIndexHeader } from '../wal/wal-index.ts'
import type { LiveDatabase } from './live-database.ts'

// Timestamps move in ticks (10 ms at most on Linux): a file touched this recently may change without a new one.
const RACY_MS = 50

/** The commit a log ends with. */
export type LogPosition = Pick<WalIndexHeader, 'salt1' | 'salt2' | 'mxFrame' | 'frameChecksum'>

/**
 * Text that is equal only when the content is. With frames in the log, the last commit's salts and running checksum say
 * it all, and stay the same through a checkpoint; without, it is the file's own change counter, size and times.
 */
export function fingerprintOf(live: LiveDatabase, log: LogPosition | undefined): string {
  const hash = createHash('sha256').update(`${live.device}:${live.inode}`)
  if (log !== undefined && log.mxFrame > 0) {
    hash.update(`wal:${log.salt1}:${log.salt2}:${log.mxFrame}:${log.frameChecksum.join(':')}`)
    return hash.digest('hex')
  }
  const { size, mtimeNs, ctimeNs } = fstatSync(live.fd, { bigint: true })
  const page = Buffer.alloc(100)
  live.readAt(page, 0)
  const header = parseDatabaseHeader(page)
  hash.update(`file:${size}:${mtimeNs}:${ctimeNs}:${JSON.stringify(header)}`)
  // git calls this "racily clean": better one backup too many than one too few.
  if (Date.now() - Number(ctimeNs / 1_000_000n) < RACY_MS) hash.update(randomBytes(8))
  return hash.digest('hex')
}
