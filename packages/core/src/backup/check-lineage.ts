import { findNewest } from '../catalog/find-newest.ts'
import type { NamedStorage } from '../catalog/first-answering.ts'
import { relationToNewest } from '../catalog/lineage.ts'
import type { Lineage } from '../catalog/manifest.ts'
import { readManifest } from '../catalog/read-manifest.ts'
import { BackupError } from '../errors.ts'

/**
 * Looks who wrote last in a storage before we write there. Returns the ids of both tips when somebody else wrote since
 * the state we grew from: a fork. The backup is still made, because nothing may be lost; it is told.
 * @throws BackupError `ENVIRONMENT_MISMATCH` when the newest backup is of another environment
 */
export async function checkLineage(
  { name, storage }: NamedStorage,
  database: string,
  mine: Lineage,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<readonly string[] | undefined> {
  const newest = await findNewest(storage, database, options)
  if (newest === undefined) return undefined
  const manifest = await readManifest(storage, newest, options)
  const theirs = manifest.lineage.environment
  if (mine.environment !== undefined && theirs !== undefined && theirs !== mine.environment) {
    throw new BackupError(
      'ENVIRONMENT_MISMATCH',
      `The newest backup of ${database} in ${name} is of the environment "${theirs}", and this is "${mine.environment}".`,
      {
        hint: 'Give each environment a prefix or bucket of its own. Two that write to one place overwrite each other’s history.',
      },
    )
  }
  if (relationToNewest(mine, manifest) !== 'fork') return undefined
  return [newest.id, ...(mine.parent === undefined ? [] : [mine.parent])]
}
