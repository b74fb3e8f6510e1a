import { parseBackupId, timeStamp } from '../catalog/backup-id.ts'
import { findById } from '../catalog/find-by-id.ts'
import { type BackupEntry, bodyFolder, parseBodyKey } from '../catalog/keys.ts'
import { listRecords, listRecordsOf } from '../catalog/records.ts'
import { isBackupError } from '../errors.ts'
import { throwIfAborted } from '../storage/abort.ts'
import { type CallOptions, listAll, type Storage } from '../storage/storage.ts'
import type { OrphanBody } from './plan-prune.ts'

export interface DeleteBackups extends CallOptions {
  readonly isInUse: (id: string) => boolean
  /** Called with what a batch has deleted. */
  readonly onDeleted: (deleted: { readonly count: number; readonly sizeBytes: number }) => void
}

const BATCH = 100

/**
 * Deletes backups, oldest first, in batches. Of each batch the manifests go first, then the records, the bodies last: a
 * crash anywhere leaves every backup that is still listed whole, and at most bodies without a manifest, which the next
 * prune finds and sweeps. What was kept or taken into use since it was planned stays.
 */
export async function deleteBackups(
  storage: Storage,
  database: string,
  backups: readonly BackupEntry[],
  { isInUse, onDeleted, signal }: DeleteBackups,
): Promise<void> {
  const oldestFirst = [...backups].sort((a, b) => a.created.getTime() - b.created.getTime())
  for (let at = 0; at < oldestFirst.length; at += BATCH) {
    throwIfAborted(signal)
    const batch = oldestFirst.slice(at, at + BATCH)
    const records = await listRecordsOf(storage, batch, { signal })
    const isWanted = (id: string): boolean =>
      isInUse(id) || (records.get(id)?.some(({ kind }) => kind !== 'verify') ?? false)
    const going = batch.filter(({ id }) => !isWanted(id))
    const bodies = await bodyKeysOf(storage, database, going, signal)
    await storage.delete(
      going.map(({ key }) => key),
      { signal },
    )
    await deleteAll(
      storage,
      going.flatMap(({ id }) => (records.get(id) ?? []).map(({ key }) => key)),
      signal,
    )
    await deleteAll(storage, bodies, signal)
    onDeleted({ count: going.length, sizeBytes: going.reduce((sum, { storedSizeBytes }) => sum + storedSizeBytes, 0) })
  }
}

/** A key tells the tier and the time of a body, but not how it is packed: one LIST for each tier of the batch. */
async function bodyKeysOf(
  storage: Storage,
  database: string,
  batch: readonly BackupEntry[],
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const keys: string[] = []
  for (const tier of new Set(batch.map((each) => each.tier))) {
    const wanted = new Map(batch.filter((each) => each.tier === tier).map((each) => [each.id, each]))
    const times = [...wanted.values()].map(({ created }) => created.getTime())
    const prefix = bodyFolder(database, tier)
    const after = `${prefix}${timeStamp(new Date(Math.min(...times)))}`
    // `~` sorts behind everything a key of that moment can go on with.
    const last = `${prefix}${timeStamp(new Date(Math.max(...times)))}~`
    for await (const { key } of listAll(storage, { prefix, after, signal })) {
      if (key > last) break
      const body = parseBodyKey(key)
      if (body !== undefined && wanted.has(body.id)) keys.push(key)
    }
  }
  return keys
}

async function deleteAll(storage: Storage, keys: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  if (keys.length > 0) await storage.delete(keys, { signal })
}

const DAY_MS = 86_400_000
/** Where a storage does not say when a body came: longer than one waits in a spool to be stored again. */
const UNDATED_MS = 8 * DAY_MS

/**
 * Deletes bodies that belong to no backup, with whatever records are left of them. Each is looked at once more: one that
 * came within a day, or has a manifest by now, is on its way to be a backup.
 */
export async function sweepOrphans(
  storage: Storage,
  database: string,
  orphans: readonly OrphanBody[],
  { now, isPending, signal }: CallOptions & { readonly now: Date; readonly isPending: (id: string) => boolean },
): Promise<{ readonly count: number; readonly sizeBytes: number }> {
  let count = 0
  let sizeBytes = 0
  for (const orphan of orphans) {
    throwIfAborted(signal)
    if (isPending(orphan.id) || (await isYoung(storage, orphan, now, signal))) continue
    if ((await findById(storage, database, orphan.id, { signal })) !== undefined) continue
    const created = parseBodyKey(orphan.key)?.created
    const records =
      created === undefined ? [] : await listRecords(storage, { database, id: orphan.id, created }, { signal })
    await deleteAll(
      storage,
      records.map(({ key }) => key),
      signal,
    )
    await storage.delete([orphan.key], { signal })
    count += 1
    sizeBytes += orphan.sizeBytes
  }
  return { count, sizeBytes }
}

async function isYoung(
  storage: Storage,
  { id, key }: OrphanBody,
  now: Date,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    const { modified } = await storage.head(key, { signal })
    if (modified !== undefined) return now.getTime() - modified.getTime() < DAY_MS
    const madeMs = parseBackupId(id)?.second.getTime() ?? now.getTime()
    return now.getTime() - madeMs < UNDATED_MS
  } catch (error) {
    if (isBackupError(error, 'OBJECT_MISSING')) return true
    throw error
  }
}
