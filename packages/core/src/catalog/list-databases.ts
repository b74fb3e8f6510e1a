import type { CallOptions, ListPage, Storage } from '../storage/storage.ts'
import { catalogFolder, parseDatabaseFolder } from './keys.ts'

/** The databases that have a backup in this storage, by name, whatever any config says. */
export async function listDatabases(storage: Storage, { signal }: CallOptions = {}): Promise<readonly string[]> {
  const names: string[] = []
  let cursor: string | undefined
  do {
    const page: ListPage = await storage.list({ delimiter: '/', signal, ...(cursor === undefined ? {} : { cursor }) })
    for (const prefix of page.prefixes) {
      const name = parseDatabaseFolder(prefix)
      // A bucket may hold other folders too: only a catalog makes one a database.
      if (name !== undefined && (await hasCatalog(storage, name, signal))) names.push(name)
    }
    cursor = page.cursor
  } while (cursor !== undefined)
  return names.sort()
}

async function hasCatalog(storage: Storage, name: string, signal: AbortSignal | undefined): Promise<boolean> {
  const { objects } = await storage.list({ prefix: catalogFolder(name), limit: 1, signal })
  return objects.length > 0
}
