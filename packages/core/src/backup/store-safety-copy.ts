import { rm } from 'node:fs/promises'
import type { EngineContext } from '../context.ts'
import { isBackupError, messageOf } from '../errors.ts'
import type { SpoolState } from '../spool/state.ts'
import { pick, settingsOf } from './backup-database.ts'
import { runBackup } from './run-backup.ts'

export interface SafetyCopy {
  readonly database: string
  /** The raw image of what a restore replaced. Removed once it is a backup. */
  readonly path: string
  readonly spoolDir: string
  /** The spool's state before the restore: what the copied content grew from. */
  readonly lineage: SpoolState
  readonly actor?: string | undefined
}

export interface StoredSafetyCopy {
  /** Its id as a backup, once it is in the storages. */
  readonly id?: string
  /** The raw image is no longer needed: it is a backup, or waits in the spool as one. */
  readonly isPacked: boolean
  readonly warnings: readonly string[]
}

/**
 * Makes what a restore replaced a backup of tier `pre-restore`. The restore is done by now, so nothing here may fail it:
 * what cannot be stored stays on local disk, and the warning says where.
 */
export async function storeSafetyCopy(
  context: EngineContext,
  copy: SafetyCopy,
  signal: AbortSignal,
): Promise<StoredSafetyCopy> {
  try {
    const { id, warnings } = await runBackup(
      {
        database: copy.database,
        path: copy.path,
        spoolDir: copy.spoolDir,
        storages: context.storages,
        tier: 'pre-restore',
        trigger: 'restore',
        ...pick(copy, ['actor']),
        ...(await settingsOf(context, copy.spoolDir)),
        lockWaitMs: 60_000,
        ifChanged: false,
        copyOf: copy.lineage,
        signal,
        storeUntil: context.storeUntil,
      },
      context.capture,
    )
    await removeImage(copy.path)
    return { id, isPacked: true, warnings }
  } catch (error) {
    if (isBackupError(error, 'BACKUP_FAILED')) {
      // Packed and kept in the spool: the next backup brings it to the storages.
      await removeImage(copy.path)
      return {
        isPacked: true,
        warnings: [
          `What was there before is kept in ${copy.spoolDir} and goes up with the next backup. ${error.message}`,
        ],
      }
    }
    return {
      isPacked: false,
      warnings: [`What was there before is kept in ${copy.path}, but could not be made a backup: ${messageOf(error)}`],
    }
  }
}

async function removeImage(path: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm']) await rm(path + suffix, { force: true })
}
