import { BackupError, isBackupError } from '@sqlite-backup/core'
import type { AdminContext } from './admin-context.ts'

/** What the storage that was named answers, or else the first that does. */
export async function askInOrder<T>(
  { engine, patience }: Pick<AdminContext, 'engine' | 'patience'>,
  named: string | undefined,
  ask: (options: { readonly from: string; readonly signal: AbortSignal }) => Promise<T>,
): Promise<T> {
  const errors: BackupError[] = []
  for (const from of named === undefined ? engine.storages : [named]) {
    try {
      return await patience.wait(from, (signal) => ask({ from, signal }))
    } catch (error) {
      if (!isBackupError(error) || !movesOn.has(error.code)) throw error
      errors.push(error)
    }
  }
  // What one looked for and did not find says less than one that could not be asked: it may be there.
  throw (
    errors.find(({ code }) => code !== 'BACKUP_NOT_FOUND') ??
    errors[0] ??
    new BackupError('CONFIG_INVALID', 'No storage is configured.', { hint: 'Add one under `storages`.' })
  )
}

/** As the engine itself goes from one storage to the next. */
const movesOn: ReadonlySet<string> = new Set([
  'UNAVAILABLE',
  'STORAGE_DENIED',
  'STORAGE_MISSING',
  'STORAGE_FAILED',
  'STORAGE_ADAPTER_MISSING',
  'BACKUP_NOT_FOUND',
])
