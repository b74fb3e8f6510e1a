import type { CallOptions, Storage } from '../storage/storage.ts'
import type { BackupEntry } from './keys.ts'
import { walkCatalog } from './walk-catalog.ts'

export interface FindNewestOptions extends CallOptions {
  /** The newest made at or before this. */
  readonly at?: Date | undefined
}

/** The newest backup of a database, by its key: four requests, whatever the number of backups. */
export async function findNewest(
  storage: Storage,
  database: string,
  { at, signal }: FindNewestOptions = {},
): Promise<BackupEntry | undefined> {
  for await (const entry of walkCatalog(storage, database, { until: at, signal })) return entry
  return undefined
}
