import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { BackupError } from '../errors.ts'
import { isBusy, sqliteError } from './file-error.ts'

/** Exclusive locks of spool folders, by SQLite's own file locks: the kernel frees them however this process ends. */
export interface SpoolLocks {
  /** @throws BackupError `LOCKED` after `waitMs`, `SPOOL_FAILED`, `ABORTED` */
  lock(spoolDir: string, waitMs: number, signal: AbortSignal): Promise<void>
  unlock(spoolDir: string): void
}

const POLL_MS = 25

export function createSpoolLocks(): SpoolLocks {
  const held = new Map<string, DatabaseSync>()
  return {
    async lock(spoolDir, waitMs, signal) {
      const deadline = performance.now() + waitMs
      const file = join(spoolDir, 'lock.db')
      for (;;) {
        signal.throwIfAborted()
        // One process may not open the file twice: closing the second would drop the lock of the first.
        if (!held.has(spoolDir)) {
          const connection = tryLock(file)
          if (connection !== undefined) {
            held.set(spoolDir, connection)
            return
          }
        }
        if (performance.now() >= deadline) {
          throw new BackupError('LOCKED', 'Another backup or restore of this database is running.', {
            hint: `It holds ${file}. Wait for it, or give this run a longer lock wait.`,
          })
        }
        await delay(POLL_MS)
      }
    },
    unlock(spoolDir) {
      held.get(spoolDir)?.close()
      held.delete(spoolDir)
    },
  }
}

function tryLock(file: string): DatabaseSync | undefined {
  let connection: DatabaseSync | undefined
  try {
    connection = new DatabaseSync(pathToFileURL(file), { timeout: 0 })
    // Locks the empty file without writing a byte into it.
    connection.exec('BEGIN EXCLUSIVE')
    return connection
  } catch (error) {
    connection?.close()
    if (isBusy(error)) return undefined
    const { message } = sqliteError(error, file)
    throw new BackupError('SPOOL_FAILED', `The spool cannot be locked: ${message}`, {
      hint: 'Does its folder exist, and may this process write there?',
      cause: error,
    })
  }
}
