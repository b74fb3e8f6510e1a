import { type BackupSummaryEntry, isBackupError, type ListBackupsOptions } from '@sqlite-backup/core'
import type { AdminContext } from '../admin-context.ts'

/** A backup to go back to, and the storage where it is best. */
export interface RestorePoint extends BackupSummaryEntry {
  readonly storage: string
}

export interface RestorePoints {
  /** Newest first. */
  readonly points: readonly RestorePoint[]
  /** There are older ones. */
  readonly hasMore: boolean
  /** Storages that could not be read: what only they have is missing. */
  readonly unread: readonly { readonly storage: string; readonly message: string }[]
}

/**
 * What any storage has: where one is behind or down, nobody should be led to an older state than there is.
 * @throws BackupError the first storage's, when none answers
 */
export async function listRestorePoints(
  { engine, patience }: AdminContext,
  database: string,
  { from, limit, ...options }: Pick<ListBackupsOptions, 'from' | 'since' | 'until'> & { readonly limit: number },
): Promise<RestorePoints> {
  const asked = from === undefined ? engine.storages : [from]
  const answers = await Promise.all(
    asked.map(async (storage) => {
      try {
        const list = await patience.wait(storage, (signal) =>
          engine.list(database, { ...options, from: storage, limit, marks: true, forks: false, signal }),
        )
        return { storage, list }
      } catch (error) {
        if (!isBackupError(error)) throw error
        return { storage, error }
      }
    }),
  )
  const lists = answers.flatMap(({ storage, list }) => (list === undefined ? [] : [{ storage, list }]))
  const failures = answers.flatMap(({ storage, error }) => (error === undefined ? [] : [{ storage, error }]))
  if (lists.length === 0 && failures[0] !== undefined) throw failures[0].error
  const best = new Map<string, RestorePoint>()
  for (const { storage, list } of lists) {
    for (const item of list.items) {
      const other = best.get(item.id)
      if (other === undefined || rankOf(item) > rankOf(other)) best.set(item.id, { ...item, storage })
    }
  }
  const points = [...best.values()].sort((a, b) => (a.created < b.created ? 1 : -1))
  return {
    points: points.slice(0, limit),
    hasMore: points.length > limit || lists.some(({ list }) => list.cursor !== undefined),
    unread: failures.map(({ storage, error }) => ({ storage, message: error.message })),
  }
}

/** How far a copy can be relied on. */
function rankOf({ marks }: BackupSummaryEntry): number {
  if (marks?.isBad === true) return -1
  return { stored: 0, checked: 1, proven: 2 }[marks?.level ?? 'stored']
}
