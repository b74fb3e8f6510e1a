import { readFileSync, statSync } from 'node:fs'
import type { LiveDatabase } from './live-database.ts'

/** A POSIX lock of another process. */
interface ForeignLock {
  readonly isExclusive: boolean
  readonly inode: string
  readonly first: number
  readonly last: number
}

/**
 * Whether another process has a lock on the database. Undefined where the kernel does not say (no /proc/locks).
 * In a container, processes of other containers are not listed.
 */
export function isOpenElsewhere({ inode }: LiveDatabase): boolean | undefined {
  return foreignLocks()?.some((lock) => lock.inode === String(inode))
}

/**
 * Whether another process has the wal-index open, so that what it says is true. An app in locking mode EXCLUSIVE keeps its
 * own in memory: a -shm beside it is what an earlier one left. https://sqlite.org/wal.html#noshm
 */
export function isIndexInUse({ realPath }: LiveDatabase): boolean | undefined {
  const inode = statSync(`${realPath}-shm`, { throwIfNoEntry: false })?.ino
  return inode !== undefined && foreignLocks()?.some((lock) => lock.inode === String(inode))
}

// Bytes of -shm that stand for SQLite's WRITE and CKPT locks: https://sqlite.org/walformat.html#wal_locks
const WRITE_BYTE = 120
const CKPT_BYTE = 121
const LOOK_EVERY_MS = 50

/**
 * A question to ask again and again while a pin is held: is the app in a FULL, RESTART or TRUNCATE checkpoint that waits
 * for our pin to go? Such a call holds WRITE and CKPT together and keeps all writers out meanwhile.
 */
export function watchForWaiters(live: LiveDatabase): () => boolean {
  let lookedAt = performance.now()
  let sightings = 0
  return () => {
    if (performance.now() - lookedAt < LOOK_EVERY_MS) return false
    lookedAt = performance.now()
    const inode = String(statSync(`${live.realPath}-shm`, { throwIfNoEntry: false })?.ino)
    const held = (byte: number): boolean | undefined =>
      foreignLocks()?.some(
        (lock) => lock.isExclusive && lock.inode === inode && lock.first <= byte && byte <= lock.last,
      )
    // Once may be a checkpoint at work; twice in a row is one that waits.
    sightings = held(WRITE_BYTE) && held(CKPT_BYTE) ? sightings + 1 : 0
    return sightings >= 2
  }
}

/** https://man7.org/linux/man-pages/man5/proc_locks.5.html */
function foreignLocks(): readonly ForeignLock[] | undefined {
  let text: string
  try {
    text = readFileSync('/proc/locks', 'utf8')
  } catch {
    return undefined
  }
  // "1: POSIX  ADVISORY  READ 1234 fe:00:131090 1073741826 1073742335"
  return text
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length === 8 && fields[4] !== String(process.pid))
    .map(([, , , kind, , file = '', first, last]) => ({
      isExclusive: kind === 'WRITE',
      inode: file.slice(file.lastIndexOf(':') + 1),
      first: Number(first),
      last: last === 'EOF' ? Number.POSITIVE_INFINITY : Number(last),
    }))
}
