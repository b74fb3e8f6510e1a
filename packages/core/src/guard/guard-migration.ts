import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { ResolvedDatabase } from '../config/config.ts'
import { type EngineContext, runOf } from '../context.ts'
import { BackupError, isBackupError, messageOf, serializeError } from '../errors.ts'
import { makeDirDurably } from '../spool/durable.ts'
import { writeMigrationTags } from '../spool/migration-tags.ts'
import { openSpool } from '../spool/spool.ts'
import type { ImageSurvey } from '../work/protocol.ts'
import { type BackupBefore, backUpBefore } from './back-up-before.ts'
import { decideMigration, type MigrationDecision } from './decide-migration.ts'
import type { GuardOptions, GuardResult, PendingMigrations } from './guard-api.ts'
import { guardedDatabase } from './guarded-database.ts'
import { clearIntent, type GuardIntent, readIntent, writeIntent } from './intent.ts'
import { MigrationRolledBackError } from './migration-rolled-back.ts'
import { recoverGuard } from './recover-guard.ts'
import { requireRoom } from './require-room.ts'
import { rollBack } from './roll-back.ts'
import { removeImage, surveyNow, type TakenImage, takeImage } from './take-image.ts'

const DEFAULT_LOCK_WAIT_MS = 600_000

/** Where migrators keep their books: more or fewer rows there are no rows of the app. */
const BOOKKEEPING = [
  '__drizzle_migrations',
  'knex_migrations',
  'knex_migrations_lock',
  'kysely_migration',
  'kysely_migration_lock',
  '_prisma_migrations',
]

interface Guarded<T> {
  readonly context: EngineContext
  readonly database: ResolvedDatabase
  readonly spoolDir: string
  /** The guard's own folder in it. */
  readonly dir: string
  readonly migrate: () => T | Promise<T>
  readonly options: GuardOptions<T>
  readonly bookkeeping: readonly string[]
  readonly signal: AbortSignal
  /** performance.now() */
  readonly began: number
  readonly warnings: string[]
  warn(sentences: readonly string[]): void
}

/**
 * Backs up, migrates, compares, and keeps or rolls back. One process at a time migrates; the others wait and find nothing
 * pending.
 * @throws MigrationRolledBackError; BackupError `MIGRATION_LOST_ROWS` with `rowLoss: 'fail'`, `MIGRATION_INTERRUPTED`,
 * `MIGRATION_NOT_ROLLED_BACK`, `LOCKED`, and what a backup throws: then nothing was migrated
 */
export async function guardMigration<T>(
  context: EngineContext,
  name: string | undefined,
  migrate: () => T | Promise<T>,
  options: GuardOptions<T>,
  signal: AbortSignal,
): Promise<GuardResult<T>> {
  const began = performance.now()
  if (!context.config.enabled) return unguarded('off', name ?? '', await migrate(), began, [])
  const database = await guardedDatabase(context, name, options.file)
  const spoolDir = await openSpool(database)
  const dir = join(spoolDir, 'migration')
  // With nothing to do no process is started and no lock taken.
  if ((await readIntent(dir)) === undefined && isNothing(await options.pending?.())) {
    return unguarded('nothing-pending', database.name, await migrate(), began, [])
  }
  const warnings: string[] = []
  const guarded: Guarded<T> = {
    context,
    database,
    spoolDir,
    dir,
    migrate,
    options,
    bookkeeping: [...BOOKKEEPING, ...(options.bookkeeping ?? [])],
    signal,
    began,
    warnings,
    warn(sentences) {
      for (const sentence of sentences) {
        warnings.push(sentence)
        context.config.log?.warn({ database: database.name }, sentence)
        options.onWarning?.(sentence)
      }
    },
  }
  await makeDirDurably(dir)
  await context.capture.lock({ spoolDir: dir, waitMs: options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS }, { signal })
  try {
    return await migrateLocked(guarded)
  } finally {
    await context.capture.unlock({ spoolDir: dir })
  }
}

async function migrateLocked<T>(guarded: Guarded<T>): Promise<GuardResult<T>> {
  const { context, database, dir, migrate, options, signal, began, warnings } = guarded
  guarded.warn((await recoverGuard(context, database, dir, options, signal)).warnings)
  // Whoever had the lock before has perhaps done it all.
  const pending = await options.pending?.()
  if (isNothing(pending)) return unguarded('nothing-pending', database.name, await migrate(), began, warnings)
  const { state } = await context.capture.inspect({ path: database.path }, { signal })
  if (state !== 'database') {
    return unguarded('nothing-to-lose', database.name, await migrate(), began, warnings, pending?.names)
  }

  const image = await takeImage(context, database, dir, signal)
  try {
    const before = await context.work.survey({ file: image.path, bookkeeping: guarded.bookkeeping }, { signal })
    await requireRoom(context, database, dir, image.sizeBytes)
    if (before.outcome === 'damaged') {
      guarded.warn([`SQLite finds damage in ${database.name} before the migration: ${before.messages[0] ?? ''}`])
    }
    const backup = await backUpBefore(
      context,
      database,
      image,
      {
        pending: pending?.names ?? [],
        sha256: pending?.sha256 ?? sha256Of(options.what ?? ''),
        contentSha256: before.contentSha256,
      },
      options,
      signal,
    )
    guarded.warn(backup.warnings)
    return await migrateBackedUp(guarded, { pending, image, before, backup })
  } finally {
    if ((await readIntent(dir)) === undefined) await removeImage(image)
  }
}

interface Prepared {
  readonly pending: PendingMigrations | undefined
  readonly image: TakenImage
  readonly before: ImageSurvey
  readonly backup: BackupBefore
}

async function migrateBackedUp<T>(guarded: Guarded<T>, prepared: Prepared): Promise<GuardResult<T>> {
  const { context, database, dir, spoolDir, migrate, options, bookkeeping, began, warnings } = guarded
  const { pending, image, before, backup } = prepared
  const event = runOf(context, database.name)
  const names = pending?.names ?? []
  const intent: GuardIntent = {
    version: 1,
    phase: 'migrating',
    database: database.name,
    startedAt: context.now().toISOString(),
    pending: names,
    isAtomic: pending?.isAtomic ?? false,
    allowLoss: options.allowLoss ?? [],
    bookkeeping,
    before,
    manifest: backup.manifest,
    storage: backup.storage,
    image: image.path,
  }
  await writeIntent(dir, intent)
  context.bus.emit('migration.started', {
    ...event(),
    pending: names,
    backupId: backup.manifest.id,
    isBackupReused: backup.isReused,
  })

  const startedMs = performance.now()
  const attempt = await attemptMigration(migrate, options)
  const migratedMs = performance.now() - startedMs
  const { decision, after, blockedMs } = await judge(guarded, intent, attempt)
  guarded.warn(decision.warnings)
  if (decision.verdict === 'roll-back' || decision.verdict === 'as-it-was') {
    throw await rolledBack(guarded, intent, decision, backup.isReused, attempt)
  }
  await clearIntent(dir)
  if (pending?.tags !== undefined) await writeMigrationTags(spoolDir, pending.tags)
  if (decision.verdict === 'fail') {
    const error = lostRows(database.name, decision, backup.manifest.id)
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

type Attempt<T> =
  | { readonly ok: true; readonly value: T; readonly failure: undefined }
  | { readonly ok: false; readonly failure: unknown }

async function attemptMigration<T>(migrate: () => T | Promise<T>, options: GuardOptions<T>): Promise<Attempt<T>> {
  try {
    const value = await migrate()
    const failure = options.failureOf?.(value)
    return failure === undefined ? { ok: true, value, failure } : { ok: false, failure }
  } catch (failure) {
    return { ok: false, failure: failure ?? 'no reason given' }
  }
}

interface Judged {
  readonly decision: MigrationDecision
  readonly after?: ImageSurvey
  readonly blockedMs: number
}

async function judge<T>(guarded: Guarded<T>, intent: GuardIntent, attempt: Attempt<T>): Promise<Judged> {
  const { context, database, dir, options, bookkeeping, signal } = guarded
  const failure = attempt.ok ? undefined : messageOf(attempt.failure)
  let surveyed: Awaited<ReturnType<typeof surveyNow>>
  try {
    surveyed = await surveyNow(context, database, dir, bookkeeping, signal)
  } catch (error) {
    if (!isBackupError(error) || !error.code.startsWith('DATABASE_')) throw error
    const reasons = [...(failure === undefined ? [] : [`It failed: ${failure}`]), error.message]
    return { decision: { verdict: 'roll-back', lost: [], reasons, warnings: [] }, blockedMs: 0 }
  }
  const facts = {
    before: intent.before,
    after: surveyed.survey,
    failure,
    failedChecks: [],
    isAtomic: intent.isAtomic,
    bookkeeping,
    allowLoss: intent.allowLoss,
    rowLoss: options.rowLoss ?? 'rollback',
  }
  const decision = decideMigration(facts)
  const judged = { after: surveyed.survey, blockedMs: surveyed.blockedMs }
  if (decision.verdict !== 'keep') return { decision, ...judged }
  const failedChecks = await runChecks(options)
  return { decision: failedChecks.length === 0 ? decision : decideMigration({ ...facts, failedChecks }), ...judged }
}

async function runChecks({ checks = [] }: Pick<GuardOptions, 'checks'>): Promise<readonly string[]> {
  const failed: string[] = []
  for (const check of checks) {
    const name = check.name === '' ? 'a check' : check.name
    try {
      if ((await check()) === false) failed.push(`${name} gave false.`)
    } catch (error) {
      failed.push(`${name}: ${messageOf(error)}`)
    }
  }
  return failed
}

/** Rolls back where there is something to roll back, and makes the error that says so. */
async function rolledBack<T>(
  guarded: Guarded<T>,
  intent: GuardIntent,
  { verdict, lost, reasons }: MigrationDecision,
  keepsLocally: boolean,
  attempt: Attempt<T>,
): Promise<MigrationRolledBackError> {
  const { context, database, dir, options, signal, began, warnings } = guarded
  const { actor } = options
  const isRestored = verdict === 'roll-back'
  const restored = isRestored ? await rollBack(context, { intent, dir, keepsLocally, actor }, signal) : undefined
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
    ...(attempt.ok ? {} : { cause: attempt.failure }),
  })
  context.bus.emit('migration.rolledBack', {
    ...runOf(context, database.name)(),
    pending: intent.pending,
    lost,
    reasons,
    backupId: intent.manifest.id,
    isRestored,
    ...(error.safetyBackup === undefined ? {} : { safetyBackup: error.safetyBackup }),
  })
  return error
}

function lostRows(database: string, { reasons }: MigrationDecision, backupId: string): BackupError {
  return new BackupError('MIGRATION_LOST_ROWS', `The migration of ${database}: ${reasons.join(' ')} It was left as it is.`, {
    hint: `To go back: \`sqlite-backup restore ${backupId} --db ${database}\`. To allow it, name the table in \`allowLoss\`.`,
  })
}

/** What is not pending any more; else what the migrators' books have gained. */
async function appliedOf<T>(
  { options }: Guarded<T>,
  { pending, before }: Prepared,
  after: ImageSurvey,
): Promise<readonly string[]> {
  if (pending !== undefined) {
    const still = (await options.pending?.())?.names ?? []
    return pending.names.filter((name) => !still.includes(name))
  }
  return Object.entries(after.migrations).flatMap(([table, names]) =>
    names.filter((name) => !(before.migrations[table] ?? []).includes(name)),
  )
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

function isNothing(pending: PendingMigrations | undefined): boolean {
  return pending !== undefined && pending.names.length === 0
}

function unguarded<T>(
  outcome: Exclude<GuardResult<T>['outcome'], 'kept'>,
  database: string,
  value: T,
  began: number,
  warnings: readonly string[],
  applied: readonly string[] = [],
): GuardResult<T> {
  const durationMs = performance.now() - began
  return { outcome, database, value, applied, isBackupReused: false, tables: {}, durationMs, guardMs: 0, blockedMs: 0, warnings }
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
