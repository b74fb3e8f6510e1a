import { parseBackupId } from '../catalog/backup-id.ts'
import { parseTime } from '../catalog/parse-time.ts'
import type { EngineContext } from '../context.ts'
import { isBackupError } from '../errors.ts'
import { findBackup } from '../find-backup.ts'
import { isRestoredOnce } from './restore-once.ts'

/**
 * Which of the databases `SQLITE_BACKUP_RESTORE` is not meant for: an id or a name is mostly that of a backup of one of
 * them, while `latest` and a time mean all. All are asked before any is restored.
 * @throws BackupError `BACKUP_NOT_FOUND` when none has it, and what a storage says that cannot be asked
 */
export async function planRestoreOnce(
  context: EngineContext,
  reference: string,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const { databases } = context.config
  // The restore itself says what there is instead.
  if (databases.length < 2) return new Set()
  const missing = new Map<string, unknown>()
  for (const database of databases) {
    // What was done has been there; it may have been pruned since.
    if (await isRestoredOnce(context, database, reference, signal)) continue
    try {
      await findBackup(context, reference, { database: database.name }, signal)
    } catch (error) {
      if (!isBackupError(error, 'BACKUP_NOT_FOUND') || meansAll(reference)) throw error
      missing.set(database.name, error)
    }
  }
  if (missing.size === databases.length) throw missing.values().next().value
  return new Set(missing.keys())
}

function meansAll(reference: string): boolean {
  return reference === 'latest' || (parseBackupId(reference) === undefined && parseTime(reference) !== undefined)
}
