import type { CallOptions, Storage } from '../storage/storage.ts'
import type { BackupEntry } from './keys.ts'
import { walkCatalog } from './walk-catalog.ts'

// Only when a storage holds nothing else do safety copies count, and then the newest few will do.
const MAX_REPLACED = 10

/**
 * Backups of one database, newest first, as candidates for "the newest state". What a restore replaced (tier
 * `pre-restore`) is younger than what it restored, and was given up: putting it back unasked would undo the restore. So
 * safety copies only come when there is nothing else.
 */
export async function* listStates(
  storage: Storage,
  database: string,
  { signal }: CallOptions = {},
): AsyncGenerator<BackupEntry> {
  const replaced: BackupEntry[] = []
  let hasOthers = false
  for await (const entry of walkCatalog(storage, database, { signal })) {
    if (entry.tier !== 'pre-restore') {
      hasOthers = true
      yield entry
    } else if (replaced.length < MAX_REPLACED) {
      replaced.push(entry)
    }
  }
  if (!hasOthers) yield* replaced
}

/** What `latest` means: the first of {@link listStates}. */
export async function findLatest(
  storage: Storage,
  database: string,
  options: CallOptions = {},
): Promise<BackupEntry | undefined> {
  for await (const entry of listStates(storage, database, options)) return entry
  return undefined
}
