import { runOf } from '../context.ts'
import { BackupError, serializeError } from '../errors.ts'
import type { BookedMigration, ImageSurvey } from '../work/protocol.ts'
import type { BackupBefore } from './back-up-before.ts'
import type { MigrationDecision } from './decide-migration.ts'
import type { GuardOptions, GuardResult, PendingMigrations } from './guard-api.ts'
import type { Guarded } from './guarded.ts'
import { clearIntent, type GuardIntent, writeIntent } from './intent.ts'
import { type Attempt, describeFailure, judgeMigration } from './judge-migration.ts'
import { MigrationRolledBackError } from './migration-rolled-back.ts'
import { rollBack } from './roll-back.ts'
import { forgetCommand, recordCommand } from './running-command.ts'
import type { TakenImage } from './take-image.ts'

export interface Prepared {
  readonly pending: PendingMigrations | undefined
  /** What the migrations themselves allow. */
  readonly allowLoss: readonly string[]
  readonly image: TakenImage
  readonly before: ImageSurvey
  readonly backup: BackupBefore
}

/** Migrates once there is a backup and a way back; keeps it or rolls it back. */
export async function migrateBackedUp<T>(guarded: Guarded<T>, prepared: Prepared): Promise<GuardResult<T>> {
  const { context, database, dir, migrate, options, bookkeeping, began, warnings } = guarded
  const { pending, image, before, backup } = prepared
  const event = runOf(context, database.name)
  const names = pending?.names ?? []
  const begun: GuardIntent = {
    version: 1,
    phase: 'migrating',
    database: database.name,
    startedAt: context.now().toISOString(),
    pending: names,
    isAtomic: pending?.isAtomic ?? false,
    allowLoss: [...(options.allowLoss ?? []), ...(pending?.allowLoss ?? []), ...prepared.allowLoss],
    rowLoss: options.rowLoss ?? 'rollback',
    bookkeeping,
    before,
    manifest: backup.manifest,
    isBackupReused: backup.isReused,
    storage: backup.storage,
    image: image.path,
  }
  await writeIntent(dir, begun)
  context.bus.emit('migration.started', {
    ...event(),
    pending: names,
    backupId: backup.manifest.id,
    isBackupReused: backup.isReused,
  })

  const startedMs = performance.now()
  const attempt = await attemptMigration(() => migrate({ runsIn: (pid) => recordCommand(dir, pid) }), options)
  await forgetCommand(dir)
  const migratedMs = performance.now() - startedMs
  const intent = attempt.ok ? begun : { ...begun, failure: describeFailure(attempt.failure) }
  if (!attempt.ok) await writeIntent(dir, intent)
  const { decision, after, blockedMs } = await judgeMigration(guarded, intent, attempt)
  guarded.warn(decision.warnings)
  if (decision.verdict === 'roll-back' || decision.verdict === 'as-it-was') {
    throw await rolledBack(guarded, { intent, decision, attempt, blockedMs: image.blockedMs + blockedMs })
  }
  await clearIntent(dir)
  if (decision.verdict === 'fail') {
    const error = lostRows(intent, decision.reasons)
    context.bus.emit('migration.failed', { ...event(), pending: names, error: serializeError(error) })
    throw error
  }
  if (!attempt.ok || after === undefined) throw new BackupError('INTERNAL', 'A migration that failed was kept.')
  const applied = await appliedOf(guarded, prepared, after)
  const durationMs = performance.now() - began
  context.bus.emit('migration.succeeded', { ...event(), applied, backupId: backup.manifest.id, durationMs })
  return {
    outcome: 'kept',
    database: database.name,
    value: attempt.value,
    applied,
    backupId: backup.manifest.id,
    isBackupReused: backup.isReused,
    tables: changedTables(before, after),
    durationMs,
    guardMs: durationMs - migratedMs,
    blockedMs: image.blockedMs + blockedMs,
    warnings,
  }
}

async function attemptMigration<T>(migrate: () => T | Promise<T>, options: GuardOptions<T>): Promise<Attempt<T>> {
  try {
    const value = await migrate()
    const failure = options.failureOf?.(value)
    return failure === undefined ? { ok: true, value, failure } : { ok: false, failure }
  } catch (failure) {
    return { ok: false, failure: failure ?? 'no reason given' }
  }
}

interface NotKept<T> {
  readonly intent: GuardIntent
  readonly decision: MigrationDecision
  readonly attempt: Attempt<T>
  /** By the captures before and after. */
  readonly blockedMs: number
}

/** Rolls back where there is something to roll back, and makes the error that says so. */
async function rolledBack<T>(
  guarded: Guarded<T>,
  { intent, decision, attempt, blockedMs }: NotKept<T>,
): Promise<MigrationRolledBackError> {
  const { verdict, lost, reasons } = decision
  const { context, database, dir, options, signal, began, warnings } = guarded
  const { actor } = options
  const isRestored = verdict === 'roll-back'
  const restored = isRestored ? await rollBack(context, { intent, dir, actor }, signal) : undefined
  await clearIntent(dir)
  guarded.warn(restored?.warnings ?? [])
  const error = new MigrationRolledBackError({
    database: database.name,
    pending: intent.pending,
    lost,
    reasons,
    backupId: intent.manifest.id,
    isRestored,
    ...(restored?.safetyBackup === undefined ? {} : { safetyBackup: restored.safetyBackup }),
    warnings,
    durationMs: performance.now() - began,
    pausedMs: blockedMs + (restored?.pausedMs ?? 0),
    ...(attempt.ok ? {} : { cause: attempt.failure }),
  })
  context.bus.emit('migration.rolledBack', {
    ...runOf(context, database.name)(),
    pending: intent.pending,
    lost,
    reasons,
    backupId: intent.manifest.id,
    isRestored,
    durationMs: error.durationMs,
    pausedMs: error.pausedMs,
    ...(error.safetyBackup === undefined ? {} : { safetyBackup: error.safetyBackup }),
  })
  return error
}

export function lostRows({ database, manifest }: GuardIntent, reasons: readonly string[]): BackupError {
  return new BackupError(
    'MIGRATION_LOST_ROWS',
    `The migration of ${database}: ${reasons.join(' ')} It was left as it is.`,
    {
      hint: `To go back: \`sqlite-backup restore ${manifest.id} --db ${database}\`. To allow it, name the table in \`allowLoss\`.`,
    },
  )
}

/** What is not pending any more; else what the migrators' books have gained. */
async function appliedOf<T>(
  { options }: Guarded<T>,
  { pending, before }: Prepared,
  after: ImageSurvey,
): Promise<readonly string[]> {
  if (pending !== undefined) {
    const still = (await (options.pending?.() ?? options.plan?.(after)))?.names ?? []
    return pending.names.filter((name) => !still.includes(name))
  }
  return Object.entries(after.migrations).flatMap(([table, booked]) => {
    const known = (before.migrations[table] ?? []).map(labelOf)
    return booked.map(labelOf).filter((label) => !known.includes(label))
  })
}

function labelOf({ name, hash }: BookedMigration): string {
  return name ?? hash ?? ''
}

function changedTables(before: ImageSurvey, after: ImageSurvey): GuardResult<unknown>['tables'] {
  const names = [...new Set([...Object.keys(before.tables), ...Object.keys(after.tables)])].sort()
  return Object.fromEntries(
    names
      .map((name) => {
        const rows = { before: before.tables[name]?.rows ?? null, after: after.tables[name]?.rows ?? null }
        return [name, rows] as const
      })
      .filter(([, rows]) => rows.before !== rows.after),
  )
}
