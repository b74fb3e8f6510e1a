/**
 * Knex's migrations under guard: back up, migrate, compare, roll back.
 *
 * @packageDocumentation
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { GuardOptions, MigrationCheck, PendingMigrations, SqliteBackup } from '@sqlite-backup/core'

/** What is used of `knex({ … })`. */
export interface KnexLike<C> {
  readonly migrate: {
    latest(config?: C): PromiseLike<[batch: number, log: string[]]>
    list(config?: C): PromiseLike<[completed: unknown[], pending: unknown[]]>
  }
  readonly schema: { hasTable(table: string): PromiseLike<boolean> }
  readonly client: { readonly config?: { readonly migrations?: KnexMigratorConfig } }
  raw(sql: string): PromiseLike<unknown>
}

export interface KnexMigratorConfig {
  readonly tableName?: string | undefined
}

export interface MigrateLatestOptions<C>
  extends Pick<
    GuardOptions,
    'allowLoss' | 'rowLoss' | 'interrupted' | 'actor' | 'lockWaitMs' | 'signal' | 'onWarning'
  > {
  /** The engine: `await openBackup(config)`. */
  readonly backup: SqliteBackup
  /** Its name in the configuration. @default the one whose file `knex` has open */
  readonly database?: string
  /** What `knex.migrate.latest` takes. */
  readonly config?: C
  /** Checks of your own after the migration: one that throws or gives `false` leads to a roll-back. */
  readonly verify?: readonly MigrationCheck[]
}

/**
 * `knex.migrate.latest()` under guard: the same result, and a MigrationRolledBackError where it would lose rows.
 *
 * @example
 * const [batch, log] = await migrateLatestWithBackup(knex, { backup })
 *
 * @throws MigrationRolledBackError; BackupError `MIGRATION_…`, `LOCKED`, and what a backup throws: then nothing was migrated
 */
export async function migrateLatestWithBackup<C extends KnexMigratorConfig>(
  knex: KnexLike<C>,
  options: MigrateLatestOptions<C>,
): Promise<[batch: number, log: string[]]> {
  const { backup, database, config, verify, ...rest } = options
  const table = config?.tableName ?? knex.client.config?.migrations?.tableName ?? 'knex_migrations'
  const { value } = await backup.guard(database, async () => await knex.migrate.latest(config), {
    ...rest,
    file: await fileOf(knex),
    what: 'knex migrate:latest',
    bookkeeping: [table, `${table}_lock`],
    pending: () => pendingOf(knex, table, config),
    ...(verify === undefined ? {} : { checks: verify }),
  })
  return value
}

async function fileOf<C>(knex: KnexLike<C>): Promise<string> {
  const rows = await knex.raw('PRAGMA database_list')
  const main: unknown = Array.isArray(rows) ? rows.find((row) => row?.name === 'main') : undefined
  return typeof main === 'object' && main !== null && 'file' in main ? String(main.file) : ''
}

async function pendingOf<C>(
  knex: KnexLike<C>,
  table: string,
  config: C | undefined,
): Promise<PendingMigrations | undefined> {
  // `list` would make the tables that are missing; where there are none, nobody knows what is pending without them.
  if (!(await knex.schema.hasTable(table))) return undefined
  const [, pending] = await knex.migrate.list(config)
  const migrations = await Promise.all(pending.map(describe))
  const hash = createHash('sha256')
  for (const { name, content } of migrations) hash.update(`${name}\0${content}\0`)
  return { names: migrations.map(({ name }) => name), sha256: hash.digest('hex') }
}

/** Migrations of the file system are `{ file, directory }`; those of other sources are what they like. */
async function describe(migration: unknown): Promise<{ readonly name: string; readonly content: string }> {
  if (typeof migration === 'object' && migration !== null) {
    if ('file' in migration && 'directory' in migration) {
      const content = await readFile(resolve(String(migration.directory), String(migration.file)), 'utf8')
      return { name: String(migration.file), content }
    }
    if ('name' in migration) return { name: String(migration.name), content: '' }
  }
  return { name: String(migration), content: '' }
}
