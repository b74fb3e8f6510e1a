import { catalogFolder, isBackupError, listAll, parseCatalogKey, type Tier } from '@sqlite-backup/core'
import { type AdminContext, type NamedStorage, storagesOf } from '../admin-context.ts'

/** How much one storage holds of a database. */
export interface StorageUse {
  readonly storage: string
  /** For people: which bucket, which folder. */
  readonly description: string
  readonly count: number
  readonly sizeBytes: number
  readonly tiers: readonly { readonly tier: Tier; readonly count: number; readonly sizeBytes: number }[]
  /** Size of the newest backup of each day, oldest first. */
  readonly days: readonly { readonly day: string; readonly sizeBytes: number }[]
  readonly oldest?: string
  /** Why it could not be read. */
  readonly problem?: string
}

export async function readStorageUse(admin: AdminContext, database: string): Promise<readonly StorageUse[]> {
  return Promise.all(
    storagesOf(admin).map((storage) =>
      admin.facts.get(`use ${storage.name} ${database}`, () => useOf(storage, database)),
    ),
  )
}

/** Keys alone say all of it: one request for every thousand backups. */
async function useOf({ name, storage }: NamedStorage, database: string): Promise<StorageUse> {
  const about = { storage: name, description: storage.name }
  const tiers = new Map<Tier, { count: number; sizeBytes: number }>()
  const days = new Map<string, number>()
  let count = 0
  let sizeBytes = 0
  let oldest: string | undefined
  try {
    for await (const { key } of listAll(storage, { prefix: catalogFolder(database) })) {
      const entry = parseCatalogKey(key)
      if (entry === undefined) continue
      const { tier, storedSizeBytes } = entry
      const created = entry.created.toISOString()
      const sum = tiers.get(tier) ?? { count: 0, sizeBytes: 0 }
      tiers.set(tier, { count: sum.count + 1, sizeBytes: sum.sizeBytes + storedSizeBytes })
      // Ascending: the last of a day stays.
      days.set(created.slice(0, 10), storedSizeBytes)
      count++
      sizeBytes += storedSizeBytes
      oldest ??= created
    }
  } catch (error) {
    if (!isBackupError(error)) throw error
    return { ...about, count: 0, sizeBytes: 0, tiers: [], days: [], problem: error.message }
  }
  return {
    ...about,
    count,
    sizeBytes,
    tiers: [...tiers].map(([tier, sum]) => ({ tier, ...sum })).sort((a, b) => b.sizeBytes - a.sizeBytes),
    days: [...days].map(([day, size]) => ({ day, sizeBytes: size })),
    ...(oldest === undefined ? {} : { oldest }),
  }
}
