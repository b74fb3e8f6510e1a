import { readFileSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import type { WalIndexHeader } from '../wal/wal-index.ts'
import type { LiveDatabase } from './live-database.ts'
import { readWalIndex } from './wal-files.ts'

/**
 * Whether another process has a lock on the database. Undefined where the kernel does not say (no /proc/locks).
 * In a container, processes of other containers are not listed.
 */
export function isOpenElsewhere({ inode }: LiveDatabase): boolean | undefined {
  let text: string
  try {
    text = readFileSync('/proc/locks', 'utf8')
  } catch {
    return undefined
  }
  // "1: POSIX  ADVISORY  READ 1234 fe:00:131090 1073741826 1073742335"
  const fields = text.split('\n').map((line) => line.trim().split(/\s+/))
  return fields.some((field) => field[5]?.endsWith(`:${inode}`) && field[4] !== String(process.pid))
}

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
  const guard = live.connect({ mode: 'ro' })
  guard.exec('BEGIN')
  guard.prepare('PRAGMA schema_version').get()
  connection.close()
  guard.close()
}
