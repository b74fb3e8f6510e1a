/**
 * Kysely's migrations under guard: back up, migrate, compare, roll back.
 *
 * @packageDocumentation
 */
import { createHash } from 'node:crypto'
import type { GuardOptions, GuardResult, MigrationCheck, SqliteBackup } from '@sqlite-backup/core'
import { type Kysely, sql } from 'kysely'

/** What is used of Kysely's `Migrator`. */
export interface KyselyMigrator {
  getMigrations(): Promise<readonly KyselyMigration[]>
  migrateToLatest(): Promise<KyselyMigrationResultSet>
}

export interface KyselyMigration {
  readonly name: string
  readonly migration?: { readonly up?: unknown }
  readonly executedAt?: Date | undefined
}

export interface KyselyMigrationResultSet {
  readonly error?: unknown
  readonly results?: readonly {
    readonly migrationName: string
    readonly direction: 'Up' | 'Down'
    readonly status: 'Success' | 'Error' | 'NotExecuted'
  }[]
}

export interface MigrateToLatestOptions
  extends Pick<
    GuardOptions,
    'allowLoss' | 'rowLoss' | 'bookkeeping' | 'interrupted' | 'actor' | 'lockWaitMs' | 'signal' | 'onWarning'
  > {
  /** The engine: `await openBackup(config)`. */
  readonly backup: SqliteBackup
  /** What the migrator migrates: says which database of the configuration it is, and that it is none other. */
  // biome-ignore lint/suspicious/noExplicitAny: the tables of the app are its own
  readonly db: Kysely<any>
  /** Its name in the configuration. @default the one whose file `db` has open */
  readonly database?: string
  /** Checks of your own after the migration: one that throws or gives `false` leads to a roll-back. */
  readonly verify?: readonly MigrationCheck[]
}

/** Kysely's own result, and the guard's when it was kept. */
export interface GuardedResultSet extends KyselyMigrationResultSet {
  readonly guard?: GuardResult<KyselyMigrationResultSet>
}

/**
 * `migrator.migrateToLatest()` under guard. Like that one it never throws: look at `error`, which is a
 * MigrationRolledBackError when the database is again as it was before; then no migration of `results` is a success.
 *
 * @example
 * const { error, results } = await migrateToLatestWithBackup(migrator, { backup, db })
 */
export async function migrateToLatestWithBackup(
  migrator: KyselyMigrator,
  options: MigrateToLatestOptions,
): Promise<GuardedResultSet> {
  const { backup, db, database, verify, ...rest } = options
  let results: KyselyMigrationResultSet['results']
  try {
    const guard = await backup.guard(
      database,
      async () => {
        const set = await migrator.migrateToLatest()
        results = set.results
        return set
      },
      {
        ...rest,
        file: await fileOf(db),
        pending: () => pendingOf(migrator),
        failureOf: ({ error }) => error,
        ...(verify === undefined ? {} : { checks: verify }),
      },
    )
    return { ...guard.value, guard }
  } catch (error) {
    const undone = results?.map((each) =>
      each.status === 'Success' ? { ...each, status: 'NotExecuted' as const } : each,
    )
    return undone === undefined ? { error } : { error, results: undone }
  }
}

// biome-ignore lint/suspicious/noExplicitAny: the tables of the app are its own
async function fileOf(db: Kysely<any>): Promise<string> {
  const { rows } = await sql<{ name: string; file: string }>`PRAGMA database_list`.execute(db)
  return rows.find(({ name }) => name === 'main')?.file ?? ''
}

async function pendingOf(migrator: KyselyMigrator) {
  const pending = (await migrator.getMigrations()).filter(({ executedAt }) => executedAt === undefined)
  const hash = createHash('sha256')
  for (const { name, migration } of pending) hash.update(`${name}\0${String(migration?.up)}\0`)
  return { names: pending.map(({ name }) => name), sha256: hash.digest('hex') }
}
