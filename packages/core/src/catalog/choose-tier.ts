import { type CallOptions, listAll, type Storage } from '../storage/storage.ts'
import { timeStamp } from './backup-id.ts'
import { findById } from './find-by-id.ts'
import { type BackupEntry, bodyFolder, parseBodyKey } from './keys.ts'
import { type PeriodTier, periodOf, periodTiers, pickTier, type ScheduledTier } from './tier.ts'

export interface ChooseTierOptions extends CallOptions {
  /** False for a backup that turned out bad: it does not hold its period. @default every one is good */
  readonly isGood?: (entry: BackupEntry) => boolean | Promise<boolean>
}

/**
 * The tier a scheduled backup made `at` should get in this storage: see {@link pickTier}.
 * The bodies of a tier lie in one folder, so this takes one LIST for each tier and one for each that is held.
 */
export async function chooseTier(
  storage: Storage,
  database: string,
  at: Date,
  { isGood = () => true, signal }: ChooseTierOptions = {},
): Promise<ScheduledTier> {
  const holders = await Promise.all(periodTiers.map((tier) => findHolder(storage, database, tier, at, isGood, signal)))
  return pickTier(
    at,
    holders.filter((holder) => holder !== undefined),
  )
}

async function findHolder(
  storage: Storage,
  database: string,
  tier: PeriodTier,
  at: Date,
  isGood: (entry: BackupEntry) => boolean | Promise<boolean>,
  signal: AbortSignal | undefined,
): Promise<BackupEntry | undefined> {
  const { start, end } = periodOf(tier, at)
  const folder = bodyFolder(database, tier)
  for await (const { key } of listAll(storage, { prefix: folder, after: `${folder}${timeStamp(start)}`, signal })) {
    const body = parseBodyKey(key)
    if (body === undefined) continue
    if (body.created >= end) break
    // A body without a manifest is no backup.
    const entry = await findById(storage, database, body.id, { signal })
    if (entry !== undefined && (await isGood(entry))) return entry
  }
  return undefined
}
