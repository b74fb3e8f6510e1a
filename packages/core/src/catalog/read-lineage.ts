import { isBackupError } from '../errors.ts'
import type { CallOptions, Storage } from '../storage/storage.ts'
import type { BackupEntry } from './keys.ts'
import { type Fork, findForks, findTips } from './lineage.ts'
import { listBackupPage } from './list-backups.ts'
import type { Manifest } from './manifest.ts'
import { readManifest } from './read-manifest.ts'

export interface ReadLineageOptions extends CallOptions {
  /** How many of the newest manifests are read. @default 8 */
  readonly depth?: number
  /** The newest backups, newest first, when they have been listed already. */
  readonly newest?: readonly BackupEntry[] | undefined
}

export interface LineageReport {
  /** What was read, newest first. */
  readonly manifests: readonly Manifest[]
  /** Newest first. One is right; more are a fork. */
  readonly tips: readonly Manifest[]
  readonly forks: readonly Fork[]
  /**
   * Ids of the tips that rival one another, newest first; empty when nobody needs to be told: who restores goes back to
   * an older state on purpose, and the branch it leaves behind is no rival.
   */
  readonly rivals: readonly string[]
  /** Ids of backups among the newest whose manifest is damaged. */
  readonly damaged: readonly string[]
}

/**
 * The tips and forks among the newest backups of a database: one listing and a few GETs.
 * @throws BackupError what the storage throws
 */
export async function readLineage(
  storage: Storage,
  database: string,
  { depth = 8, newest: listed, signal }: ReadLineageOptions = {},
): Promise<LineageReport> {
  const items = listed?.slice(0, depth) ?? (await listBackupPage(storage, { database, limit: depth, signal })).items
  const read = await Promise.all(items.map((entry) => readIfWhole(storage, entry, { signal })))
  const manifests = read.filter((manifest) => typeof manifest === 'object')
  const damaged = items.filter((_, index) => read[index] === 'damaged').map(({ id }) => id)
  const tips = findTips(manifests)
  const forks = findForks(manifests)
  const others = forks.filter(({ kind }) => kind !== 'restored').map(({ other }) => other.id)
  const newest = tips[0]
  const rivals = newest === undefined || others.length === 0 ? [] : [newest.id, ...others]
  return { manifests, tips, forks, rivals, damaged }
}

/** A damaged manifest must not hide the others, nor one that was pruned since it was listed. */
async function readIfWhole(
  storage: Storage,
  entry: BackupEntry,
  options: CallOptions,
): Promise<Manifest | 'damaged' | undefined> {
  try {
    return await readManifest(storage, entry, options)
  } catch (error) {
    if (isBackupError(error, 'MANIFEST_INVALID')) return 'damaged'
    if (isBackupError(error, 'OBJECT_MISSING')) return undefined
    throw error
  }
}
