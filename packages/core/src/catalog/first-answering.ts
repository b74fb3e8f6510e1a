import { BackupError, isBackupError, messageOf } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'

export interface NamedStorage {
  /** The name in the configuration. */
  readonly name: string
  readonly storage: Storage
}

export interface Answer<T> extends NamedStorage {
  readonly value: T
}

/**
 * Asks storages in order until one answers. Only "cannot be reached" and "refused" move on to the next: an answer that
 * is an error of its own (no such backup) is not papered over… unless a later storage has what was asked for.
 * @throws BackupError the first storage's error when none answers
 */
export async function firstAnswering<T>(
  storages: readonly NamedStorage[],
  ask: (storage: Storage) => Promise<T>,
  options: {
    readonly from?: string | undefined
    readonly onFailure?: (storage: string, error: BackupError) => void
  } = {},
): Promise<Answer<T>> {
  const asked = options.from === undefined ? storages : storages.filter((each) => each.name === options.from)
  if (asked.length === 0) throw noSuchStorage(storages, options.from)
  const errors: BackupError[] = []
  for (const { name, storage } of asked) {
    try {
      return { name, storage, value: await ask(storage) }
    } catch (error) {
      if (!isBackupError(error)) throw error
      if (!movesOn.has(error.code)) throw error
      options.onFailure?.(name, error)
      errors.push(error)
    }
  }
  // What was looked for and not found says less than a storage that could not be asked: it may be there.
  throw (
    errors.find((error) => error.code !== 'BACKUP_NOT_FOUND') ??
    errors[0] ??
    new BackupError('INTERNAL', messageOf(errors))
  )
}

const movesOn: ReadonlySet<string> = new Set([
  'UNAVAILABLE',
  'STORAGE_DENIED',
  'STORAGE_MISSING',
  'STORAGE_FAILED',
  'STORAGE_ADAPTER_MISSING',
  'BACKUP_NOT_FOUND',
])

function noSuchStorage(storages: readonly NamedStorage[], from: string | undefined): BackupError {
  if (from === undefined) {
    return new BackupError('CONFIG_INVALID', 'No storage is configured.', {
      hint: 'Name one with --from, or write a config: `sqlite-backup init`.',
    })
  }
  return new BackupError('USAGE', `There is no storage ${JSON.stringify(from)} in the configuration.`, {
    hint: `It has: ${storages.map((each) => each.name).join(', ') || 'none'}.`,
  })
}
