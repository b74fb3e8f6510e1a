import { fstatSync } from 'node:fs'
import { databaseHeaderBytes } from '../wal/database-header.ts'
import type { LiveDatabase } from './live-database.ts'

/** What changes with every write to a database file. */
export interface FileState {
  readonly size: bigint
  readonly mtimeNs: bigint
  readonly ctimeNs: bigint
  /** Its header, with SQLite's own change counter. */
  readonly header: Buffer
  /** When this was looked at. */
  readonly seenAtMs: number
}

// Timestamps move in ticks (10 ms at most on Linux): a file touched this recently may change again without a new one.
const TICK_MS = 50
// Where times have no fraction they count seconds (HFS+, ext3), or every other one (FAT).
const COARSE_TICK_MS = 2_050

export function fileState(live: LiveDatabase): FileState {
  const { size, mtimeNs, ctimeNs } = fstatSync(live.fd, { bigint: true })
  const header = Buffer.alloc(databaseHeaderBytes)
  live.readAt(header, 0)
  return { size, mtimeNs, ctimeNs, header, seenAtMs: Date.now() }
}

/** Whether the timestamps are too young to prove that nothing happens after them. git calls this "racily clean". */
export function isRacy({ ctimeNs, seenAtMs }: Pick<FileState, 'ctimeNs' | 'seenAtMs'>): boolean {
  const tickMs = ctimeNs % 1_000_000_000n === 0n ? COARSE_TICK_MS : TICK_MS
  return seenAtMs - Number(ctimeNs / 1_000_000n) < tickMs
}

/** Whether nothing was written to the file between the two looks. False when that cannot be told. */
export function isQuietBetween(before: FileState, after: FileState): boolean {
  return (
    !isRacy(before) &&
    before.size === after.size &&
    before.mtimeNs === after.mtimeNs &&
    before.ctimeNs === after.ctimeNs &&
    before.header.equals(after.header)
  )
}
