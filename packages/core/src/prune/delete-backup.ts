import { findById } from '../catalog/find-by-id.ts'
import type { NamedStorage } from '../catalog/first-answering.ts'
import type { BackupEntry } from '../catalog/keys.ts'
import { tiers } from '../catalog/manifest.ts'
import { markTips } from '../catalog/mark-tips.ts'
import type { RetentionPolicy } from '../config/retention.ts'
import { type EngineContext, runOf } from '../context.ts'
import type { DeleteOptions, DeletePlan, DeleteResult, FromOptions, KeepReason, StorageOutcome } from '../engine-api.ts'
import { BackupError, isBackupError, serializeError } from '../errors.ts'
import { findBackup } from '../find-backup.ts'
import { createDecider } from './decide-retention.ts'
import { deleteBackups } from './delete-backups.ts'
import { factsOf, summarized } from './plan-prune.ts'

/** Wants nothing: what stays under it stays under any policy. */
const nothing: RetentionPolicy = {
  keepLast: 0,
  tiers: Object.fromEntries(tiers.map((tier) => [tier, { ageMs: 0, count: 0 }])) as RetentionPolicy['tiers'],
}

/** What holds a backup against a person too. A clock that is wrong holds it against a policy only. */
const holds: ReadonlySet<KeepReason> = new Set(['newest', 'newest-checked', 'kept', 'fork', 'in-use'])

/** Whether one backup may be deleted, storage by storage. Reads keys only. */
export async function planDelete(
  context: EngineContext,
  reference: string,
  options: FromOptions,
  signal: AbortSignal,
): Promise<DeletePlan> {
  const { manifest } = (await findBackup(context, reference, options, signal)).value
  const { id, database, created, tier } = manifest
  const wanted = await wantedEntries(context, { database, id, from: options.from }, signal)
  const storages = await Promise.all(
    wanted.map(async ({ named: { name, storage }, entry }) => ({
      storage: name,
      storedSizeBytes: entry.storedSizeBytes,
      heldBy: await heldBy(context, storage, entry, signal),
    })),
  )
  return { id, database, created, tier, storages }
}

/** Deletes one backup in every storage that has it, or in none: when one of them has to keep it, all do. */
export async function deleteBackup(
  context: EngineContext,
  reference: string,
  options: DeleteOptions,
  signal: AbortSignal,
): Promise<DeleteResult> {
  const plan = await planDelete(context, reference, options, signal)
  const { id, database } = plan
  const held = plan.storages.find((each) => each.heldBy.length > 0)
  if (held !== undefined) throw refused(id, held.storage, held.heldBy)
  const event = runOf(context, database)
  const { actor } = options
  const isInUse = (each: string): boolean => context.inUse.has(each)
  const storages: StorageOutcome[] = []
  for (const { named, entry } of await wantedEntries(context, { database, id, from: options.from }, signal)) {
    const { name, storage } = named
    try {
      let count = 0
      const onDeleted = (deleted: { readonly count: number }): void => {
        count += deleted.count
      }
      await deleteBackups(storage, database, [entry], { isInUse, onDeleted, signal })
      // It was kept, or taken into use, since it was planned.
      if (count === 0) throw refused(id, name, context.inUse.has(id) ? ['in-use'] : ['kept'])
      context.bus.emit('backup.deleted', { ...event(), id, storage: name, ...(actor === undefined ? {} : { actor }) })
      storages.push({ storage: name, ok: true })
    } catch (error) {
      if (isBackupError(error, 'ABORTED')) throw error
      storages.push({ storage: name, ok: false, error: serializeError(error) })
    }
  }
  return { id, database, storages }
}

interface Wanted {
  readonly database: string
  readonly id: string
  readonly from: string | undefined
}

/** Where it is. A storage that cannot be asked stops it: what is deleted here could be the last one there. */
async function wantedEntries(
  { storages }: EngineContext,
  { database, id, from }: Wanted,
  signal: AbortSignal,
): Promise<readonly { readonly named: NamedStorage; readonly entry: BackupEntry }[]> {
  const asked = storages.filter(({ name }) => from === undefined || name === from)
  const found = await Promise.all(
    asked.map(async (named) => ({ named, entry: await findById(named.storage, database, id, { signal }) })),
  )
  return found.flatMap(({ named, entry }) => (entry === undefined ? [] : [{ named, entry }]))
}

async function heldBy(
  context: EngineContext,
  storage: NamedStorage['storage'],
  { database, id }: BackupEntry,
  signal: AbortSignal,
): Promise<readonly KeepReason[]> {
  const now = context.now()
  const { tips, damaged } = await markTips(storage, database, { now, dryRun: true, signal })
  const decide = createDecider(nothing, { now })
  // Newest first, and what holds a backup depends on newer ones only: nothing behind it is read.
  for await (const [entry, summary] of summarized(storage, database, signal)) {
    const facts = factsOf(entry, summary, {
      isTip: tips.includes(entry.id),
      isInUse: context.inUse.has(entry.id),
      isBroken: false,
      isUnreadable: damaged.includes(entry.id),
    })
    const decision = decide(facts)
    if (entry.id !== id) continue
    return decision.action === 'keep' ? decision.reasons.filter((reason) => holds.has(reason)) : []
  }
  return []
}

const reasonTexts: Readonly<Partial<Record<KeepReason, string>>> = {
  newest: 'it is the newest one',
  'newest-checked': 'it is the newest one that was checked',
  kept: 'somebody keeps it',
  fork: 'it is the end of a branch that nothing else holds',
  'in-use': 'it is being read right now',
}

function refused(id: string, storage: string, reasons: readonly KeepReason[]): BackupError {
  const why = reasons.map((reason) => reasonTexts[reason] ?? reason).join(', and ')
  return new BackupError('DELETE_REFUSED', `${id} stays: in ${storage} ${why}.`, {
    hint:
      reasons.includes('kept') || reasons.includes('fork')
        ? 'Give it back first: sqlite-backup unkeep. Nothing was deleted.'
        : 'Nothing was deleted.',
  })
}
