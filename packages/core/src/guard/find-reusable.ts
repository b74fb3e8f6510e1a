import { backupsBeforeMigrations } from '../catalog/find-before-migration.ts'
import type { NamedStorage } from '../catalog/first-answering.ts'
import type { BeforeMigration, Manifest } from '../catalog/manifest.ts'
import { listRecords } from '../catalog/records.ts'
import { summarizeRecords } from '../catalog/summarize-records.ts'
import { isBackupError } from '../errors.ts'
import type { CallOptions, Storage } from '../storage/storage.ts'

/** An earlier try is among the newest, or it was long ago and another backup does no harm. */
const MAX_LOOKED_AT = 5

/**
 * A good backup, body and all, that was made before the same migrations on the same content, in every storage: what a crash loop would
 * make again and again.
 * @throws BackupError what a storage throws
 */
export async function findReusable(
  storages: readonly NamedStorage[],
  database: string,
  wanted: Omit<BeforeMigration, 'pending'>,
  options: CallOptions,
): Promise<Manifest | undefined> {
  const [first, ...others] = await Promise.all(storages.map((each) => candidates(each, database, wanted, options)))
  return first?.find(({ id }) => others.every((other) => other.some((manifest) => manifest.id === id)))
}

async function candidates(
  { storage }: NamedStorage,
  database: string,
  { sha256, contentSha256 }: Omit<BeforeMigration, 'pending'>,
  options: CallOptions,
): Promise<readonly Manifest[]> {
  const found: Manifest[] = []
  let looked = 0
  for await (const { entry, manifest } of backupsBeforeMigrations(storage, database, options)) {
    const { beforeMigration } = manifest
    if (
      beforeMigration?.sha256 === sha256 &&
      beforeMigration.contentSha256 === contentSha256 &&
      !summarizeRecords(await listRecords(storage, entry, options)).isBad &&
      (await hasBody(storage, manifest, options))
    ) {
      found.push(manifest)
    }
    looked += 1
    if (looked === MAX_LOOKED_AT) break
  }
  return found
}

async function hasBody(storage: Storage, { body, stored }: Manifest, options: CallOptions): Promise<boolean> {
  try {
    const { sizeBytes } = await storage.head(body, options)
    return sizeBytes === stored.sizeBytes
  } catch (error) {
    if (isBackupError(error, 'OBJECT_MISSING')) return false
    throw error
  }
}
