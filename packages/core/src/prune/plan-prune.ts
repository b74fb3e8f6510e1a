import { findOrphans } from '../catalog/find-orphans.ts'
import type { BackupEntry } from '../catalog/keys.ts'
import { listRecordsOf } from '../catalog/records.ts'
import { type RecordSummary, summarizeRecords } from '../catalog/summarize-records.ts'
import { walkCatalog } from '../catalog/walk-catalog.ts'
import type { RetentionPolicy } from '../config/retention.ts'
import type { KeepReason, RemoveReason } from '../engine-api.ts'
import type { CallOptions, Storage } from '../storage/storage.ts'
import { createDecider, type RetentionFacts } from './decide-retention.ts'

export interface PlanPrune extends CallOptions {
  /** Absent: everything stays. */
  readonly policy: RetentionPolicy | undefined
  readonly now: Date
  readonly isInUse: (id: string) => boolean
  /** Tips of a fork that are not marked yet. */
  readonly isTip: (id: string) => boolean
  /** Its manifest is damaged, or of a newer version. */
  readonly isUnreadable: (id: string) => boolean
}

export interface PrunePlan {
  /** Newest first. */
  readonly remove: readonly Removal[]
  readonly orphans: readonly OrphanBody[]
  readonly kept: { readonly count: number; readonly sizeBytes: number }
  readonly keptBy: Readonly<Partial<Record<KeepReason, number>>>
}

export interface Removal extends BackupEntry {
  readonly reasons: readonly RemoveReason[]
}

/** A body whose run was killed before the manifest. */
export interface OrphanBody {
  readonly id: string
  readonly key: string
  readonly sizeBytes: number
}

const PAGE = 500

/**
 * What a policy would delete from one storage. Reads keys only: two passes over the catalog, one over the bodies, one over
 * the records, page by page; what is held is what goes.
 */
export async function planPrune(storage: Storage, database: string, options: PlanPrune): Promise<PrunePlan> {
  const { now, signal } = options
  const orphans: OrphanBody[] = []
  const broken = new Set<string>()
  for await (const orphan of findOrphans(storage, database, { now, signal })) {
    if (orphan.kind === 'body-without-manifest') orphans.push(orphan)
    else broken.add(orphan.id)
  }
  const decide = createDecider(options.policy, { now })
  const remove: Removal[] = []
  const keptBy: Partial<Record<KeepReason, number>> = {}
  let count = 0
  let sizeBytes = 0
  for await (const [entry, summary] of summarized(storage, database, signal)) {
    const { id } = entry
    const decision = decide(
      factsOf(entry, summary, {
        isBroken: broken.has(id),
        isUnreadable: options.isUnreadable(id),
        isTip: options.isTip(id),
        isInUse: options.isInUse(id),
      }),
    )
    if (decision.action === 'remove') {
      remove.push({ ...entry, reasons: decision.reasons })
      continue
    }
    count += 1
    sizeBytes += entry.storedSizeBytes
    for (const reason of decision.reasons) keptBy[reason] = (keptBy[reason] ?? 0) + 1
  }
  return { remove, orphans, kept: { count, sizeBytes }, keptBy }
}

/** What retention looks at, from what the keys say and what only this process knows. */
export function factsOf(
  { id, created, tier }: BackupEntry,
  summary: RecordSummary,
  known: {
    readonly isBroken: boolean
    readonly isUnreadable: boolean
    readonly isTip: boolean
    readonly isInUse: boolean
  },
): RetentionFacts {
  return {
    id,
    created,
    tier,
    isChecked: summary.level === 'checked' || summary.level === 'proven',
    isBad: summary.isBad || known.isBroken,
    isUnreadable: known.isUnreadable,
    isKept: summary.isKept,
    isTip: summary.isTip || known.isTip,
    isInUse: known.isInUse,
  }
}

/** All backups, newest first, with what their records come to. */
export async function* summarized(
  storage: Storage,
  database: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<readonly [BackupEntry, RecordSummary]> {
  let page: BackupEntry[] = []
  for await (const entry of walkCatalog(storage, database, { signal })) {
    page.push(entry)
    if (page.length < PAGE) continue
    yield* withRecords(storage, page, signal)
    page = []
  }
  yield* withRecords(storage, page, signal)
}

async function* withRecords(storage: Storage, page: readonly BackupEntry[], signal: AbortSignal | undefined) {
  const records = await listRecordsOf(storage, page, { signal })
  for (const entry of page) yield [entry, summarizeRecords(records.get(entry.id) ?? [])] as const
}
