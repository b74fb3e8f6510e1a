import { createHash, randomBytes } from 'node:crypto'
import type { WalIndexHeader } from '../wal/wal-index.ts'
import type { LiveDatabase } from './live-database.ts'
import { fileState, isRacy } from './quiet.ts'

/** The commit a log ends with. */
export type LogPosition = Pick<WalIndexHeader, 'salt1' | 'salt2' | 'mxFrame' | 'frameChecksum'>

/**
 * Text that is equal only when the content is. With frames in the log, the last commit's salts and running checksum say
 * it all, and stay the same through a checkpoint; without, it is the file's own header, size and times.
 */
export function fingerprintOf(live: LiveDatabase, log: LogPosition | undefined): string {
  const hash = createHash('sha256').update(`${live.device}:${live.inode}`)
  if (log !== undefined && log.mxFrame > 0) {
    hash.update(`wal:${log.salt1}:${log.salt2}:${log.mxFrame}:${log.frameChecksum.join(':')}`)
    return hash.digest('hex')
  }
  const state = fileState(live)
  hash.update(`file:${state.size}:${state.mtimeNs}:${state.ctimeNs}`).update(state.header)
  // Better one backup too many than one too few.
  if (isRacy(state)) hash.update(randomBytes(8))
  return hash.digest('hex')
}
