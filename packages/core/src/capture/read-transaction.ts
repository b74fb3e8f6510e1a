import type { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { isBusy } from '../wal/result-code.ts'
import { sqliteError } from './file-error.ts'

const BUSY_WAIT_MS = 5_000

/**
 * Begins a read transaction and takes its snapshot. Waits for a lock outside of SQLite, holding nothing, so that an abort
 * is heard.
 * @throws BackupError `DATABASE_BUSY` after 5 s, `DATABASE_UNREADABLE`, `DATABASE_INVALID`, `ABORTED`
 */
export async function beginRead(connection: DatabaseSync, path: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + BUSY_WAIT_MS
  for (;;) {
    signal.throwIfAborted()
    try {
      connection.exec('BEGIN')
      // Reads page 1 and so takes the snapshot, without parsing a schema that may need the app's own functions.
      connection.prepare('PRAGMA schema_version').get()
      return
    } catch (error) {
      endRead(connection)
      if (!isBusy(error) || performance.now() > deadline) throw sqliteError(error, path)
    }
    await delay(2 + Math.random() * 8)
  }
}

/** Ends it, if there is one. */
export function endRead(connection: DatabaseSync): void {
  if (connection.isOpen && connection.isTransaction) connection.exec('ROLLBACK')
}
