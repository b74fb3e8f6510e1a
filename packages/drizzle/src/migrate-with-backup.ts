import type { GuardOptions, GuardResult, MigrationCheck, SqliteBackup, SurveyedForeignKey } from '@sqlite-backup/core'
import { allowedInFiles } from './allowed-in-files.ts'
import { withoutForeignKeys } from './disarm-foreign-keys.ts'
import {
  areForeignKeysOn,
  type DrizzleDatabase,
  type DrizzleMigrationConfig,
  disarmsByItself,
  fileOf,
  isSync,
  queryRows,
} from './drizzle-database.ts'
import { endTransaction } from './end-transaction.ts'
import { findPending, hashMigrations, type PendingReport, readApplied } from './find-pending.ts'
import { describeRisk, findRisks } from './find-risks.ts'
import { olderCode } from './older-code.ts'
import { type LocalMigration, readMigrations } from './read-migrations.ts'
import { endsTransactions } from './split-sql.ts'

export interface MigrateWithBackupOptions
  extends Pick<GuardOptions, 'allowLoss' | 'rowLoss' | 'interrupted' | 'actor' | 'lockWaitMs' | 'signal'> {
  /** The engine: `await openBackup(config)`. */
  readonly backup: SqliteBackup
  /** Its name in the configuration. @default the one whose file the connection has open */
  readonly database?: string
  /** Checks of your own after the migration: one that throws or gives `false` leads to a roll-back. */
  readonly verify?: readonly MigrationCheck[]
  /**
   * Turns foreign keys off before the migrator begins its transaction, in which it could not, and on again after it: then
   * a rebuilt table empties no other. Rows that refer to nothing afterwards lead to a roll-back. @default false
   */
  readonly disarmForeignKeys?: boolean
  /** Told what a person should know, before and after. @default process.emitWarning */
  readonly onWarning?: (sentence: string) => void
}

/**
 * Drizzle's `migrate`, under guard: with migrations pending it makes a backup first, compares rows, references and checks
 * afterwards, and restores the database under its open connections when the migration failed or lost rows.
 *
 * @example
 * import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
 * const { applied } = await migrateWithBackup(migrate, db, { migrationsFolder: './drizzle' }, { backup })
 *
 * @throws MigrationRolledBackError; BackupError `MIGRATION_…`, `LOCKED`, `USAGE`, and what a backup throws: then nothing was migrated
 */
export async function migrateWithBackup<D extends DrizzleDatabase, C extends DrizzleMigrationConfig, R>(
  migrate: (db: D, config: C) => R,
  db: D,
  config: C,
  options: MigrateWithBackupOptions,
): Promise<GuardResult<Awaited<R>>> {
  const { backup, database, verify, disarmForeignKeys = false, onWarning = warnOfMigration, ...guard } = options
  const table = config.migrationsTable ?? '__drizzle_migrations'
  const warnings: string[] = []
  const warn = (sentence: string): void => {
    warnings.push(sentence)
    onWarning(sentence)
  }
  const look = async (): Promise<PendingReport & { readonly all: readonly LocalMigration[] }> => {
    const folder = await readMigrations(config.migrationsFolder)
    return { ...findPending(folder, await readApplied(db, table)), all: folder.migrations }
  }
  let latest = await look()
  if (latest.unknown.length > 0) warn(olderCode(latest.unknown))

  const result = await backup.guard<Awaited<R>>(
    database,
    async (): Promise<Awaited<R>> => {
      for (const sentence of await risksOf(db, latest.pending, disarmForeignKeys)) warn(sentence)
      return await withoutForeignKeys(db, disarmForeignKeys, warn, () => endTransaction(db, () => migrate(db, config)))
    },
    {
      ...guard,
      file: await fileOf(db),
      bookkeeping: [table],
      ...(verify === undefined ? {} : { checks: verify }),
      onWarning,
      async pending() {
        latest = await look()
        const { pending, all } = latest
        return {
          names: pending.map(({ name }) => name),
          sha256: hashMigrations(pending),
          isAtomic: isAtomic(db, pending),
          allowLoss: allowedInFiles(pending),
          tags: Object.fromEntries(all.map(({ hash, name }) => [hash, name])),
        }
      },
    },
  )
  return { ...result, warnings: [...warnings, ...result.warnings] }
}

function warnOfMigration(sentence: string): void {
  process.emitWarning(sentence, { type: 'MigrationWarning' })
}

async function risksOf(
  db: DrizzleDatabase,
  pending: readonly LocalMigration[],
  isDisarmed: boolean,
): Promise<readonly string[]> {
  if (pending.length === 0) return []
  const disarms = disarmsByItself(db)
  const risks = findRisks(pending, {
    foreignKeysOn: !isDisarmed && !disarms && (await areForeignKeysOn(db)),
    runsInTransaction: !disarms,
    cutsAtBreakpoints: true,
    references: await readReferences(db),
    remedy: '`disarmForeignKeys: true` turns them off before.',
  })
  return risks.map(describeRisk)
}

async function readReferences(db: DrizzleDatabase): Promise<readonly SurveyedForeignKey[]> {
  const rows = await queryRows(
    db,
    `SELECT t.name AS child, k."table" AS parent, k.on_delete AS action
       FROM sqlite_master t JOIN pragma_foreign_key_list(t.name) k WHERE t.type = 'table'`,
  )
  return rows.map(({ child, parent, action }) => ({
    child: String(child),
    parent: String(parent),
    onDelete: String(action),
  }))
}

/** They run in one transaction, which none of them ends by itself. */
function isAtomic(db: DrizzleDatabase, pending: readonly LocalMigration[]): boolean {
  if (!isSync(db) && !disarmsByItself(db)) return false
  return !pending.some(({ sql }) => endsTransactions(sql))
}
