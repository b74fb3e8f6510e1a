import { databaseFolder } from '../catalog/keys.ts'
import { escapeName } from '../catalog/names.ts'
import { bytesBody, type Storage } from '../storage/storage.ts'
import type { AuditHead } from './audit-entry.ts'

/*
 * Where a chain ends is noted in every storage, outside of the chain: a newest entry that is taken away is missed then, by
 * processes that never saw it. The key says it all: `<db>/audit/heads/<storage>/<writer>-<seq>-<sha256>.json`.
 */

const pattern = /^(\d{8}T\d{6}Z-[0-9a-f]{8})-(\d{8})-([0-9a-f]{64})\.json$/

function folderOf(database: string, storageName: string): string {
  return `${databaseFolder(database)}audit/heads/${escapeName(storageName)}/`
}

function keyOf(folder: string, { writer, seq, sha256 }: AuditHead): string {
  return `${folder}${writer}-${String(seq).padStart(8, '0')}-${sha256}.json`
}

/** Notes in `storage` where a chain of `storageName` ends now, in place of where it ended before. */
export async function noteHead(
  storage: Storage,
  { database, storageName }: { readonly database: string; readonly storageName: string },
  head: AuditHead,
  before: AuditHead | undefined,
): Promise<void> {
  const folder = folderOf(database, storageName)
  await storage.put(keyOf(folder, head), bytesBody(Buffer.from('{}\n')), { contentType: 'application/json' })
  if (before !== undefined) await storage.delete([keyOf(folder, before)])
}

/** The end of a chain of this storage that a key notes; undefined when it notes none. */
export function parseHead(key: string, database: string, storageName: string): AuditHead | undefined {
  const folder = folderOf(database, storageName)
  if (!key.startsWith(folder)) return undefined
  const [, writer, seq, sha256] = pattern.exec(key.slice(folder.length)) ?? []
  return writer === undefined || sha256 === undefined ? undefined : { writer, seq: Number(seq), sha256 }
}
