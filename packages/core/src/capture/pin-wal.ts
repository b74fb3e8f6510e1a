import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { BackupError } from '../errors.ts'
import type { WalIndexHeader } from '../wal/wal-index.ts'
import { isBusy, sqliteError } from './file-error.ts'
import type { LiveDatabase } from './live-database.ts'
import { readBackfilled, readWalIndex } from './wal-files.ts'

/** A read transaction that keeps SQLite from recycling the frames of one state. */
export interface WalPin {
  readonly connection: DatabaseSync
  /** The state the pin holds. */
  readonly index: WalIndexHeader
  /** The database file holds all of it: the log adds nothing. */
  readonly isBackfilled: boolean
  readonly at: Date
  /** Whether `connection` sees exactly the state of `index`, and not one a few commits older. */
  readonly isExact: boolean
  release(): void
}

const BUSY_WAIT_MS = 5_000
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
  const deadline = performance.now() + BUSY_WAIT_MS
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted()
    const before = readWalIndex(live)
    try {
      connection.exec('BEGIN')
      // Reads page 1 and so takes the snapshot, without parsing a schema that may need the app's own functions.
      connection.prepare('PRAGMA schema_version').get()
    } catch (error) {
      if (connection.isTransaction) connection.exec('ROLLBACK')
      if (!isBusy(error) || performance.now() > deadline) throw sqliteError(error, live.path)
      // Someone recovers the log or closes the database: brief, and nothing of ours is held meanwhile.
      await delay(10)
      continue
    }
    const release = (): void => {
      if (connection.isOpen && connection.isTransaction) connection.exec('ROLLBACK')
    }
    const mode = connection.prepare('PRAGMA journal_mode').get()?.journal_mode
    if (mode !== 'wal') {
      release()
      return undefined
    }
    const at = new Date()
    const index = readWalIndex(live)
    if (index !== undefined) {
      const backfilled = readBackfilled(live)
      const again = readWalIndex(live)
      const isExact = before?.iChange === index.iChange && before.salt1 === index.salt1
      if ((isExact || attempt >= EXACT_ATTEMPTS) && again !== undefined && isSameLog(index, again)) {
        return { connection, index, isBackfilled: backfilled >= index.mxFrame, at, isExact, release }
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
