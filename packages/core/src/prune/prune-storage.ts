import type { NamedStorage } from '../catalog/first-answering.ts'
import { markTips } from '../catalog/mark-tips.ts'
import type { RetentionPolicy } from '../config/retention.ts'
import { type EngineContext, runOf } from '../context.ts'
import type { PruneOptions, StoragePrune } from '../engine-api.ts'
import { BackupError, isBackupError, serializeError } from '../errors.ts'
import type { Storage } from '../storage/storage.ts'
import { deleteBackups, sweepOrphans } from './delete-backups.ts'
import { type PrunePlan, planPrune } from './plan-prune.ts'
import {
  announced,
  decideNotice,
  type Notice,
  type PruneState,
  pruneStateKey,
  readPruneState,
  writePruneState,
} from './prune-state.ts'

export interface PruneStorage {
  readonly database: string
  readonly storage: NamedStorage
  /** Ids of backups that wait in the spool. */
  readonly pending: ReadonlySet<string>
  readonly options: PruneOptions
}

const nothing = {
  remove: [],
  orphans: { count: 0, sizeBytes: 0 },
  kept: { count: 0, sizeBytes: 0 },
  keptBy: {},
  deleted: { count: 0, sizeBytes: 0 },
} as const

/** Plans one storage, announces or deletes, and tells. Only an abort is thrown. */
export async function pruneStorage(
  context: EngineContext,
  request: PruneStorage,
  signal: AbortSignal,
): Promise<StoragePrune> {
  const { bus, config } = context
  const { name } = request.storage
  const event = runOf(context, request.database)
  const { retention } = config
  if (retention === undefined || !config.enabled) return { storage: name, outcome: 'off', ...nothing }
  let count = 0
  let sizeBytes = 0
  const onDeleted = (batch: { readonly count: number; readonly sizeBytes: number }): void => {
    count += batch.count
    sizeBytes += batch.sizeBytes
  }
  let planned: Omit<StoragePrune, 'storage' | 'outcome' | 'deleted'> = nothing
  try {
    const plan = await planOf(context, request, retention, signal)
    const { storage } = request.storage
    const notice = await noticeOf(context, request, plan, retention, signal)
    const deletesFrom = deletesFromOf(notice)
    planned = { ...resultOf(plan), ...deletesFrom }
    if (isEmpty(plan)) return { storage: name, outcome: 'nothing', ...planned, deleted: nothing.deleted }
    bus.emit('prune.planned', {
      ...event(),
      storage: name,
      remove: plan.remove.length,
      removeSizeBytes: plan.remove.reduce((sum, each) => sum + each.storedSizeBytes, 0),
      keep: plan.kept.count,
      ...deletesFrom,
    })
    if (request.options.dryRun) return { storage: name, outcome: 'planned', ...planned, deleted: nothing.deleted }
    if (notice.kind === 'announce') await writePruneState(storage, request.database, notice.state, { signal })
    if (notice.kind !== 'delete') {
      config.log?.warn(
        { database: request.database, storage: name },
        `Retention will delete ${plan.remove.length} backups of ${request.database} from ${name}, at ${deletesFrom.deletesFrom} or later. Look at them with \`sqlite-backup prune --dry-run\`.`,
      )
      if (notice.kind === 'announce' && notice.isContested) {
        config.log?.warn(
          { database: request.database, storage: name },
          `Two engines state different retention for ${request.database} in ${name}: each announces its own, and nothing is deleted until they agree.`,
        )
      }
      return { storage: name, outcome: 'announced', ...planned, deleted: nothing.deleted }
    }
    await requireClock(storage, request.database, notice.state, context.now(), signal)
    const isInUse = (id: string): boolean => context.inUse.has(id)
    await deleteBackups(storage, request.database, plan.remove, { isInUse, onDeleted, signal })
    const isPending = (id: string): boolean => request.pending.has(id)
    await sweepOrphans(storage, request.database, plan.orphans, { now: context.now(), isPending, signal })
    bus.emit('prune.succeeded', { ...event(), storage: name, deleted: count, deletedSizeBytes: sizeBytes })
    return { storage: name, outcome: 'deleted', ...planned, deleted: { count, sizeBytes } }
  } catch (error) {
    bus.emit('prune.failed', { ...event(), storage: name, deleted: count, error: serializeError(error) })
    if (isBackupError(error, 'ABORTED') || signal.aborted) throw error
    return {
      storage: name,
      outcome: 'failed',
      ...planned,
      deleted: { count, sizeBytes },
      error: serializeError(error),
    }
  }
}

async function planOf(
  context: EngineContext,
  { database, storage: { name, storage }, options }: PruneStorage,
  policy: RetentionPolicy,
  signal: AbortSignal,
): Promise<PrunePlan> {
  const now = context.now()
  const { newest, tips, damaged } = await markTips(storage, database, { now, dryRun: options.dryRun ?? false, signal })
  const [theirs, ours] = [newest?.lineage.environment, context.config.environment]
  if (theirs !== undefined && ours !== undefined && theirs !== ours) {
    throw new BackupError(
      'ENVIRONMENT_MISMATCH',
      `The newest backup of ${database} in ${name} is of the environment "${theirs}", and this is "${ours}". Nothing was deleted.`,
      { hint: 'Give each environment a prefix or bucket of its own.' },
    )
  }
  const isInUse = (id: string): boolean => context.inUse.has(id)
  const isTip = (id: string): boolean => tips.includes(id)
  const isUnreadable = (id: string): boolean => damaged.includes(id)
  return planPrune(storage, database, { policy, now, isInUse, isTip, isUnreadable, signal })
}

/** What is to be done now about a plan. */
async function noticeOf(
  context: EngineContext,
  { database, storage: { storage }, options }: PruneStorage,
  plan: PrunePlan,
  policy: RetentionPolicy,
  signal: AbortSignal,
): Promise<Notice> {
  const now = context.now()
  if (options.now || isEmpty(plan)) return { kind: 'delete', state: announced(policy, now, 0) }
  return decideNotice(await readPruneState(storage, database, { signal }), policy, now)
}

function deletesFromOf({ kind, state }: Notice): Pick<StoragePrune, 'deletesFrom'> {
  return kind === 'delete' ? {} : { deletesFrom: state.deletesFrom.toISOString() }
}

const CLOCK_TOLERANCE_MS = 3_600_000

/**
 * Writes down what is about to be done, and asks the storage when that was: with a clock that runs ahead every backup
 * looks old, and ages are all that decides.
 * @throws BackupError `CLOCK_WRONG`
 */
async function requireClock(
  storage: Storage,
  database: string,
  state: PruneState,
  now: Date,
  signal: AbortSignal,
): Promise<void> {
  await writePruneState(storage, database, state, { signal })
  // A folder on this machine has this machine's clock.
  if (storage.localDir !== undefined) return
  const { modified } = await storage.head(pruneStateKey(database), { signal })
  if (modified === undefined || now.getTime() - modified.getTime() <= CLOCK_TOLERANCE_MS) return
  throw new BackupError(
    'CLOCK_WRONG',
    `The clock here shows ${now.toISOString()}, that of ${storage.name} ${modified.toISOString()}. Nothing was deleted.`,
    { hint: 'With a clock that runs ahead, backups look older than they are. Set it, then prune again.' },
  )
}

function isEmpty({ remove, orphans }: PrunePlan): boolean {
  return remove.length === 0 && orphans.length === 0
}

function resultOf({ remove, orphans, kept, keptBy }: PrunePlan) {
  return {
    remove: remove.map(({ id, created, tier, storedSizeBytes, reasons }) => ({
      id,
      created: created.toISOString(),
      tier,
      storedSizeBytes,
      reasons,
    })),
    orphans: { count: orphans.length, sizeBytes: orphans.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) },
    kept,
    keptBy,
  }
}
