import { type CallOptions, listAll, type Storage } from '../storage/storage.ts'
import { type BackupEntry, catalogFolder, parseCatalogKey } from './keys.ts'

/** The oldest backup of a database, by its key: one request. */
export async function findOldest(
  storage: Storage,
  database: string,
  { signal }: CallOptions = {},
): Promise<BackupEntry | undefined> {
  for await (const { key } of listAll(storage, { prefix: catalogFolder(database), limit: 10, signal })) {
    const entry = parseCatalogKey(key)
    if (entry !== undefined) return entry
  }
  return undefined
}
