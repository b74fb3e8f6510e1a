import { type CallOptions, listAll, type Storage } from '../storage/storage.ts'
import { idOf, parseBackupId, timeStamp } from './backup-id.ts'
import { type BackupEntry, catalogFolder, dayFolder, parseCatalogKey } from './keys.ts'

/** The backup with this id, by its key: one LIST. Undefined when there is none, or the text is no id. */
export async function findById(
  storage: Storage,
  database: string,
  id: string,
  { signal }: CallOptions = {},
): Promise<BackupEntry | undefined> {
  const parsed = parseBackupId(id)
  if (parsed === undefined) return undefined
  const wanted = idOf({ created: parsed.second, random: parsed.random })
  // The id tells the second; the milliseconds and the rest stand behind it.
  const second = timeStamp(parsed.second).slice(0, 'YYYYMMDDTHHMMSS'.length)
  const prefix = `${dayFolder(catalogFolder(database), parsed.second)}${second}.`
  for await (const { key } of listAll(storage, { prefix, signal })) {
    const entry = parseCatalogKey(key)
    if (entry?.id === wanted) return entry
  }
  return undefined
}
