import { backup, DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { BackupError, isBackupError, messageOf } from '../errors.ts'
import { SQLITE, sqliteCode } from '../wal/result-code.ts'
import type { PublishProgress } from './protocol.ts'

export interface PublishOnline {
  /** Our image: at least two pages, nobody else has it open. */
  readonly image: string
  readonly pageSize: number
  readonly pageCount: number
  /** The database that is there, links followed. */
  readonly target: string
  /** How long to wait for the write lock, in ms. */
  readonly busyTimeoutMs: number
  /** Called once with the write lock held and nothing committed; throwing leaves the target as it was. */
  readonly onLocked: () => void
  readonly emit: (progress: PublishProgress) => void
  readonly signal: AbortSignal
}

// Pages taken over in one step, all held in SQLite's 2 MB page cache: none of the first step may reach the database
// file of a rollback-journal target before the safety copy is complete.
const STEP_BYTES = 512 * 1024
const BUSY_RETRY_MS = 5

/**
 * Makes the target's content that of the image, in one transaction of SQLite's Backup API: same inode, owner, mode and
 * mounts; readers keep their snapshot (WAL), open connections see the new content, a crash leaves the old.
 * https://sqlite.org/backup.html
 *
 * @returns how long writers had to wait, in ms
 * @throws BackupError `RESTORE_TARGET_BUSY`, `RESTORE_PAGE_SIZE`, `SPOOL_NO_SPACE`, `DATABASE_UNREADABLE`, `ABORTED`
 */
export async function publishOnline(options: PublishOnline): Promise<number> {
  const { target, busyTimeoutMs, signal } = options
  const source = new DatabaseSync(`${pathToFileURL(options.image).href}?immutable=1`, { readOnly: true })
  const deadline = performance.now() + busyTimeoutMs
  try {
    for (;;) {
      const attempt = await tryOnce(source, options)
      if (attempt.done) return attempt.pausedMs
      if (performance.now() >= deadline) {
        throw new BackupError(
          'RESTORE_TARGET_BUSY',
          `${target} was locked by another process for ${busyTimeoutMs} ms.`,
          {
            hint: 'Nothing was changed. Try again, or stop what holds it: a long transaction, or PRAGMA locking_mode=EXCLUSIVE.',
          },
        )
      }
      await delay(BUSY_RETRY_MS)
      if (signal.aborted) throw abortError(signal)
    }
  } finally {
    source.close()
  }
}

async function tryOnce(
  source: DatabaseSync,
  options: PublishOnline,
): Promise<{ readonly done: true; readonly pausedMs: number } | { readonly done: false }> {
  const { target, pageSize, pageCount, onLocked, emit, signal } = options
  let lockedAt: number | undefined
  let isMiddle = false
  try {
    await backup(source, target, {
      // Less than all of it, so that the first step ends with the lock held and nothing committed.
      rate: Math.max(1, Math.min(Math.floor(STEP_BYTES / pageSize), Math.floor(pageCount / 2))),
      // Runs between two steps: node:sqlite starts the next one when this returns, and rolls back when it throws.
      progress({ totalPages, remainingPages }) {
        if (signal.aborted) throw abortError(signal)
        if (lockedAt === undefined) {
          lockedAt = performance.now()
          emit({ kind: 'step', step: 'locked' })
          onLocked()
          emit({ kind: 'step', step: 'first-page' })
        }
        if (!isMiddle && remainingPages <= totalPages / 2) {
          isMiddle = true
          emit({ kind: 'step', step: 'middle' })
        }
        emit({ kind: 'progress', pages: totalPages - remainingPages, totalPages })
      },
    })
  } catch (error) {
    if (lockedAt === undefined && isLockedOut(error)) return { done: false }
    throw publishError(error, target)
  }
  if (lockedAt === undefined)
    throw new BackupError('INTERNAL', 'The database was replaced without its lock being seen.')
  return { done: true, pausedMs: performance.now() - lockedAt }
}

// A step that finds the lock taken sets no error on the connection, so node:sqlite reports code 0, "not an error".
function isLockedOut(error: unknown): boolean {
  const code = sqliteCode(error)
  return code === SQLITE.OK || code === SQLITE.BUSY || code === SQLITE.LOCKED
}

function publishError(error: unknown, target: string): unknown {
  const cause = { cause: error }
  switch (isBackupError(error) ? undefined : sqliteCode(error)) {
    case undefined:
      return error
    case SQLITE.FULL:
      return new BackupError('SPOOL_NO_SPACE', `The volume of ${target} is full.`, {
        hint: 'Nothing was changed: SQLite rolled it back. A restore into a live database needs its size once more, for the journal.',
        ...cause,
      })
    case SQLITE.READONLY:
      return new BackupError('RESTORE_PAGE_SIZE', `${target} cannot take over pages of another size now.`, {
        hint: 'Nothing was changed. Stop every process that has the database open and restore again.',
        ...cause,
      })
    default:
      return new BackupError('DATABASE_UNREADABLE', `SQLite could not write to ${target}: ${messageOf(error)}`, {
        hint: 'Nothing was changed: SQLite rolled it back.',
        ...cause,
      })
  }
}

function abortError(signal: AbortSignal): BackupError {
  return new BackupError('ABORTED', 'The operation was aborted. Nothing was changed.', { cause: signal.reason })
}
