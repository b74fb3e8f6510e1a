import type { DatabaseSync } from 'node:sqlite'
import { sqliteCode } from '../wal/result-code.ts'
import type { WalIndexHeader } from '../wal/wal-index.ts'
import { isOpenElsewhere } from './foreign-locks.ts'
import type { LiveDatabase } from './live-database.ts'
import { readWalIndex } from './wal-files.ts'

/** Whether nobody has opened the database or committed to it since `index` was read. */
export function isUnchanged(live: LiveDatabase, index: WalIndexHeader): boolean {
  const now = readWalIndex(live)
  return now?.iChange === index.iChange && now.salt1 === index.salt1 && isOpenElsewhere(live) === false
}

/**
 * Closes `connection` without the checkpoint that SQLite does when the last one closes, so that a database nobody uses
 * stays as its dead app left it: file and log byte for byte. A second, read-only connection keeps the first from being
 * the last (it cannot get the EXCLUSIVE lock: sqlite3WalClose in wal.c), and cannot get that lock itself.
 */
export function closeWithoutCheckpoint(live: LiveDatabase, connection: DatabaseSync): void {
  try {
    const guard = live.connect({ mode: 'ro' })
    guard.exec('BEGIN')
    guard.prepare('PRAGMA schema_version').get()
    connection.close()
    guard.close()
  } catch (error) {
    // Without it the connection closes as any other: with SQLite's checkpoint, which adds nothing either.
    if (sqliteCode(error) === undefined) throw error
  }
}
