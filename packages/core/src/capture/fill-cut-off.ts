import { statSync, truncateSync } from 'node:fs'
import { isBackupError } from '../errors.ts'
import { spaceOf } from '../spool/space.ts'
import type { DatabaseHeader } from '../wal/database-header.ts'
import { fileError } from './file-error.ts'
import { attachLive } from './live-database.ts'
import { beginRead } from './read-transaction.ts'

export interface FillCutOff {
  /** Bytes of the image that is to take its place. */
  readonly imageBytes: number
  /** Where it will be copied to first, and what has to stay free there. */
  readonly spoolDir: string
  readonly reserveBytes: number
  readonly signal: AbortSignal
}

/**
 * Gives a database file that was cut off the length its header speaks of, in zeros: SQLite does not even open a shorter one
 * (lockBtree in btree.c), and so could not overwrite it. What there is of it stays as it is.
 * False when its header speaks of so much more than the image has that it is the header that must be damaged, or when there is
 * no room for that.
 * @throws BackupError `DATABASE_BUSY`, `DATABASE_UNREADABLE`, `ABORTED`
 */
export async function fillCutOff(path: string, header: DatabaseHeader, options: FillCutOff): Promise<boolean> {
  const sizeBytes = header.pageCount * header.pageSize
  if (statSync(path).size >= sizeBytes || !(await isRefused(path, options.signal))) return true
  const { freeBytes } = await spaceOf(options.spoolDir)
  if (sizeBytes > 2 * options.imageBytes || sizeBytes > freeBytes - options.reserveBytes) return false
  try {
    truncateSync(path, sizeBytes)
  } catch (error) {
    throw fileError(error, path)
  }
  return true
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
