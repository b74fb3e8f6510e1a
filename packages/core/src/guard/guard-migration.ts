import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { EngineContext } from '../context.ts'
import { BackupError } from '../errors.ts'
import { fsyncFile, makeDirDurably } from '../spool/durable.ts'
import { lockFolder } from '../spool/lock-folder.ts'
import { writeMigrationTags } from '../spool/migration-tags.ts'
import { openSpool } from '../spool/spool.ts'
import { backUpBefore } from './back-up-before.ts'
import type { GuardOptions, GuardResult, PendingMigrations } from './guard-api.ts'
import type { Guarded } from './guarded.ts'
import { guardedDatabase } from './guarded-database.ts'
import { readIntent } from './intent.ts'
import { migrateBackedUp } from './migrate-backed-up.ts'
import { recoverGuard } from './recover-guard.ts'
import { requireRoom } from './require-room.ts'
import { commandEnded, type GuardedRun } from './running-command.ts'
import { removeImage, takeImage } from './take-image.ts'

const DEFAULT_LOCK_WAIT_MS = 600_000

/** Without a guard there is nothing that a later one would wait for. */
const HERE: GuardedRun = { runsIn() {} }

/** Where migrators keep their books: more or fewer rows there are no rows of the app. */
const BOOKKEEPING = [
  '__drizzle_migrations',
  'knex_migrations',
  'knex_migrations_lock',
  'kysely_migration',
  'kysely_migration_lock',
  '_prisma_migrations',
]

/**
 * Backs up, migrates, compares, and keeps or rolls back. One process at a time migrates; the others wait and find nothing
 * pending.
 * @throws MigrationRolledBackError; BackupError `MIGRATION_LOST_ROWS` with `rowLoss: 'fail'`, `MIGRATION_INTERRUPTED`,
 * `MIGRATION_NOT_ROLLED_BACK`, `LOCKED`, and what a backup throws: then nothing was migrated
 */
export async function guardMigration<T>(
  context: EngineContext,
  name: string | undefined,
  migrate: (run: GuardedRun) => T | Promise<T>,
  options: GuardOptions<T>,
  signal: AbortSignal,
): Promise<GuardResult<T>> {
  const began = performance.now()
  if (!context.config.enabled) return unguarded('off', name ?? '', await migrate(HERE), began, [])
  const database = await guardedDatabase(context, name, options.file)
  const spoolDir = await openSpool(database)
  const dir = join(spoolDir, 'migration')
  // With nothing to do no process is started and no lock taken.
  const asked = (await readIntent(dir)) === undefined ? await options.pending?.() : undefined
  if (isNothing(asked)) {
    // On a machine that did not apply them, a backup names its newest migration all the same.
    await keepTags(spoolDir, asked)
    return unguarded('nothing-pending', database.name, await migrate(HERE), began, [])
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
  // In this process and in no child: it must not end before the migrator does, which may block us for minutes.
  const { lockWaitMs: waitMs = DEFAULT_LOCK_WAIT_MS } = options
  const lock = await lockFolder(dir, { waitMs, signal, busy: `Another process migrates ${database.name}.` })
  try {
    await commandEnded(dir, { waitMs, signal, database: database.name })
    return await migrateLocked(guarded)
  } finally {
    lock.release()
  }
}

async function migrateLocked<T>(guarded: Guarded<T>): Promise<GuardResult<T>> {
  const { context, database, dir, migrate, options, signal, began, warnings } = guarded
  guarded.warn((await recoverGuard(context, database, dir, options, signal)).warnings)
  // Whoever had the lock before has perhaps done it all.
  const asked = await options.pending?.()
  if (isNothing(asked)) return unguarded('nothing-pending', database.name, await migrate(HERE), began, warnings)
  requireDigest(asked)
  const { state } = await context.capture.inspect({ path: database.path }, { signal })
  if (state !== 'database') {
    const pending = asked ?? (await options.plan?.({ migrations: {}, foreignKeys: [] }))
    await keepTags(guarded.spoolDir, pending)
    return unguarded('nothing-to-lose', database.name, await migrate(HERE), began, warnings, pending?.names)
  }

  const image = await takeImage(context, database, dir, signal)
  try {
    // It is what an interrupted migration is rolled back to, even after a power cut.
    await fsyncFile(image.path)
    const before = await context.work.survey({ file: image.path, bookkeeping: guarded.bookkeeping }, { signal })
    await requireRoom(context, database, dir, image.sizeBytes)
    if (before.outcome === 'damaged') {
      guarded.warn([`SQLite finds damage in ${database.name} before the migration: ${before.messages[0] ?? ''}`])
    }
    const planned = await options.plan?.(before)
    guarded.warn(planned?.warnings ?? [])
    const pending = asked ?? planned
    await keepTags(guarded.spoolDir, pending)
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
    return await migrateBackedUp(guarded, { pending, allowLoss: planned?.allowLoss ?? [], image, before, backup })
  } finally {
    if ((await readIntent(dir)) === undefined) await removeImage(image)
  }
}

/** Before a backup, whose manifest names the newest migration. */
async function keepTags(spoolDir: string, pending: PendingMigrations | undefined): Promise<void> {
  if (pending?.tags !== undefined) await writeMigrationTags(spoolDir, pending.tags)
}

/** The manifest keeps it, and would be refused only when the body is in the storages. */
function requireDigest(pending: PendingMigrations | undefined): void {
  if (pending === undefined || /^[0-9a-f]{64}$/.test(pending.sha256)) return
  throw new BackupError('USAGE', `The sha256 of what is pending is "${pending.sha256}".`, {
    hint: "Give 64 lower-case hex digits: createHash('sha256').update(content).digest('hex').",
  })
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
  return {
    outcome,
    database,
    value,
    applied,
    isBackupReused: false,
    tables: {},
    durationMs,
    guardMs: 0,
    blockedMs: 0,
    warnings,
  }
}

function sha256Of(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
