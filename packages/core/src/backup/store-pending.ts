import type { NamedStorage } from '../catalog/first-answering.ts'
import type { BackupError } from '../errors.ts'
import { isBackupError } from '../errors.ts'
import { dropPending, keepPending, listPending, pendingBody } from './pending.ts'
import { storeBackup } from './store-backup.ts'

export interface StorePendingOptions {
  readonly storages: readonly NamedStorage[]
  readonly signal?: AbortSignal | undefined
  readonly onFailure?: (storage: string, error: BackupError) => void
}

/** Stores what earlier runs left in the spool. Returns the ids that are now everywhere; the rest goes on waiting. */
export async function storePending(spoolDir: string, options: StorePendingOptions): Promise<readonly string[]> {
  const done: string[] = []
  for (const pending of await listPending(spoolDir)) {
    const missing: string[] = []
    for (const name of pending.storages) {
      const named = options.storages.find((each) => each.name === name)
      // It may be named again by the next run, like one that is only a flag of the command line.
      if (named === undefined) {
        missing.push(name)
        continue
      }
      try {
        await storeBackup({
          storage: named.storage,
          key: pending.manifest.body,
          body: pendingBody(pending),
          manifest: Promise.resolve(pending.manifest),
          ...(options.signal === undefined ? {} : { signal: options.signal }),
        })
      } catch (error) {
        if (!isBackupError(error) || error.code === 'ABORTED') throw error
        options.onFailure?.(name, error)
        missing.push(name)
      }
    }
    if (missing.length === 0) {
      await dropPending(spoolDir, pending)
      done.push(pending.manifest.id)
    } else if (missing.length < pending.storages.length) {
      await keepPending(spoolDir, { ...pending, storages: missing })
    }
  }
  return done
}
