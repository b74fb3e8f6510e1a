import { statSync, truncateSync } from 'node:fs'
import { isBackupError } from '../errors.ts'
import type { DatabaseHeader } from '../wal/database-header.ts'
import { fileError } from './file-error.ts'
import { attachLive } from './live-database.ts'
import { beginRead } from './read-transaction.ts'

/**
 * Gives a database file that was cut off the length its header speaks of, in zeros: SQLite does not even open a shorter one
 * (lockBtree in btree.c), and so could not overwrite it. What there is of it stays as it is.
 * @throws BackupError `DATABASE_BUSY`, `DATABASE_UNREADABLE`, `ABORTED`
 */
export async function fillCutOff(path: string, header: DatabaseHeader, signal: AbortSignal): Promise<void> {
  const sizeBytes = header.pageCount * header.pageSize
  if (statSync(path).size >= sizeBytes || !(await isRefused(path, signal))) return
  try {
    truncateSync(path, sizeBytes)
  } catch (error) {
    throw fileError(error, path)
  }
}

/** Whether it is SQLite that does not take the file. A writer at its commit, or a log, may only have the rest on its way. */
async function isRefused(path: string, signal: AbortSignal): Promise<boolean> {
  const live = attachLive(path)
  try {
    await beginRead(live.connect(), path, signal)
    return false
  } catch (error) {
    if (isBackupError(error, 'DATABASE_INVALID')) return true
    throw error
  } finally {
    live.detach()
  }
}
