import type { BackupSummaryEntry, Tier } from '@sqlite-backup/core'
import type { AdminContext } from '../admin-context.ts'

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

const PAGE = 1000
const MAX_BACKUPS = 200_000

export async function readStorageUse(admin: AdminContext, database: string): Promise<readonly StorageUse[]> {
  return Promise.all(
    admin.engine.storages.map((storage) =>
      admin.facts.get(`use ${storage} ${database}`, () => useOf(admin, database, storage)),
    ),
  )
}

async function useOf({ engine }: AdminContext, database: string, storage: string): Promise<StorageUse> {
  const description = engine.storage(storage).name
  const tiers = new Map<Tier, { count: number; sizeBytes: number }>()
  const days = new Map<string, number>()
  let count = 0
  let sizeBytes = 0
  let oldest: string | undefined
  try {
    let cursor: string | undefined
    do {
      const page: { readonly items: readonly BackupSummaryEntry[]; readonly cursor?: string } = await engine.list(
        database,
        {
          from: storage,
          limit: PAGE,
          forks: false,
          ...(cursor === undefined ? {} : { cursor }),
        },
      )
      for (const item of page.items) {
        const sum = tiers.get(item.tier) ?? { count: 0, sizeBytes: 0 }
        tiers.set(item.tier, { count: sum.count + 1, sizeBytes: sum.sizeBytes + item.storedSizeBytes })
        const day = item.created.slice(0, 10)
        // Newest first: the first of a day is its last backup.
        if (!days.has(day)) days.set(day, item.storedSizeBytes)
        count++
        sizeBytes += item.storedSizeBytes
        oldest = item.created
      }
      cursor = page.cursor
    } while (cursor !== undefined && count < MAX_BACKUPS)
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'BackupError') throw error
    return { storage, description, count: 0, sizeBytes: 0, tiers: [], days: [], problem: error.message }
  }
  return {
    storage,
    description,
    count,
    sizeBytes,
    tiers: [...tiers].map(([tier, sum]) => ({ tier, ...sum })).sort((a, b) => b.sizeBytes - a.sizeBytes),
    days: [...days].map(([day, size]) => ({ day, sizeBytes: size })).reverse(),
    ...(oldest === undefined ? {} : { oldest }),
  }
}
