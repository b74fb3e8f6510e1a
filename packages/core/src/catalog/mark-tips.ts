import type { CallOptions, Storage } from '../storage/storage.ts'
import { parseBackupId } from './backup-id.ts'
import { findById } from './find-by-id.ts'
import { listBackupPage } from './list-backups.ts'
import type { Manifest } from './manifest.ts'
import { readLineage } from './read-lineage.ts'
import { deleteTipMarker, listRecordsOf, putTipMarker } from './records.ts'

// Two writers that miss each other are seen here, as long as fewer backups than this are made between two prunes.
const DEPTH = 64

export interface MarkedTips {
  /** Undefined when there is no backup. */
  readonly newest: Manifest | undefined
  /** Ids of the tips among the newest backups; empty without a fork. */
  readonly tips: readonly string[]
  /** Ids of backups among the newest whose manifest is damaged, or of a newer version. */
  readonly damaged: readonly string[]
}

/**
 * Looks at who wrote the newest backups, and marks the tips of a fork, so that they are known from keys however long ago
 * it was; what was grown from since loses its mark.
 */
export async function markTips(
  storage: Storage,
  database: string,
  options: CallOptions & { readonly now: Date; readonly dryRun: boolean },
): Promise<MarkedTips> {
  const { signal } = options
  const { items } = await listBackupPage(storage, { database, limit: DEPTH, signal })
  const { tips, rivals, damaged } = await readLineage(storage, database, { depth: DEPTH, signal })
  const marked = { newest: tips[0], tips: rivals, damaged }
  if (options.dryRun) return marked
  const records = await listRecordsOf(storage, items, { signal })
  for (const backup of items) {
    const isMarked = records.get(backup.id)?.some(({ kind }) => kind === 'tip') ?? false
    if (rivals.includes(backup.id)) {
      // The newest needs no mark: who leaves it behind will mark it.
      if (!isMarked && backup.id !== rivals[0])
        await putTipMarker(storage, backup, { at: options.now.toISOString() }, { signal })
    } else if (isMarked && !tips.some(({ id }) => id === backup.id)) {
      await deleteTipMarker(storage, backup, { signal })
    }
  }
  return marked
}

/** Marks the end of a branch that somebody is about to leave behind. Does nothing when it is gone. */
export async function markTip(
  storage: Storage,
  database: string,
  id: string,
  options: CallOptions & { readonly now: Date },
): Promise<void> {
  const entry = parseBackupId(id) === undefined ? undefined : await findById(storage, database, id, options)
  if (entry !== undefined) await putTipMarker(storage, entry, { at: options.now.toISOString() }, options)
}
