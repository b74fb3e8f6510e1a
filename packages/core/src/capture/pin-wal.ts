import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { BackupError } from '../errors.ts'
import type { WalIndexHeader } from '../wal/wal-index.ts'
import type { LiveDatabase } from './live-database.ts'
import { probeHeader } from './probe-header.ts'
import { beginRead, endRead } from './read-transaction.ts'
import { readBackfilled, readWalIndex } from './wal-files.ts'

/** A read transaction that keeps SQLite from recycling the frames of one state. */
export interface WalPin {
  readonly connection: DatabaseSync
  /** The state the pin holds. */
  readonly index: WalIndexHeader
  /** The database file holds all of it: the log adds nothing. */
  readonly isBackfilled: boolean
  readonly at: Date
  release(): void
}

const REST_WAIT_MS = 5_000
const EXACT_ATTEMPTS = 100

/**
 * Begins a read transaction. Why no content can be lost under it, whichever read-mark slot SQLite gives it: on slots 1–4
 * the log is never reset and the database file takes no frame beyond our mark; on slot 0 the file takes none at all,
 * and the log can be reset only while it holds nothing newer (walRestartLog and walCheckpoint in SQLite's wal.c).
 * Undefined when the database is not in WAL mode.
 * @throws BackupError `DATABASE_BUSY`, `DATABASE_UNREADABLE`, `DATABASE_INVALID`, `ABORTED`
 */
export async function pinWal(
  live: LiveDatabase,
  connection: DatabaseSync,
  signal: AbortSignal,
): Promise<WalPin | undefined> {
  const deadline = performance.now() + REST_WAIT_MS
  for (let attempt = 1; ; attempt++) {
    const before = readWalIndex(live)
    await beginRead(connection, live.path, signal)
    const release = (): void => endRead(connection)
    // A read transaction keeps others from changing the mode.
    if (probeHeader(live)?.journalMode !== 'wal') {
      release()
      return undefined
    }
    const at = new Date()
    const index = readWalIndex(live)
    if (index !== undefined) {
      const backfilled = readBackfilled(live)
      const again = readWalIndex(live)
      // The connection sees exactly this state, unless the app commits without any pause: then a few commits older.
      const isExact = before?.iChange === index.iChange && before.salt1 === index.salt1
      if ((isExact || attempt >= EXACT_ATTEMPTS) && again !== undefined && isSameLog(index, again)) {
        return { connection, index, isBackfilled: holdsAll(index, backfilled, again), at, release }
      }
    }
    release()
    if (performance.now() > deadline) {
      throw new BackupError('DATABASE_BUSY', `The wal-index of ${live.path} did not come to rest.`, {
        hint: 'Is the database on a network file system? SQLite in WAL mode needs shared memory on one machine.',
      })
    }
    if (attempt % 10 === 0) await delay(1)
  }
}

function isSameLog(a: WalIndexHeader, b: WalIndexHeader): boolean {
  return a.salt1 === b.salt1 && a.salt2 === b.salt2 && a.mxFrame <= b.mxFrame
}

/**
 * Whether the database file alone has the state of `index`. A checkpoint writes a page only when its newest frame in the
 * whole log may be written: with newer frames about, `backfilled` frames can be done though older versions of their pages
 * never reached the file (walCheckpoint in wal.c). So the log must not have grown by the time of the second look.
 */
export function holdsAll(index: WalIndexHeader, backfilled: number, again: WalIndexHeader): boolean {
  return backfilled >= index.mxFrame && again.mxFrame === index.mxFrame && isSameLog(index, again)
}
