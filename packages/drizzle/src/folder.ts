/**
 * What a folder of SQL migrations is about to do, for whoever runs it around another program: `sqlite-backup guard`.
 *
 * @packageDocumentation
 */
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { FoundBefore, MigrationPlan } from '@sqlite-backup/core'
import { allowedInFiles } from './allowed-in-files.ts'
import { type AppliedMigration, findPending, hashMigrations } from './find-pending.ts'
import { describeRisk, findRisks } from './find-risks.ts'
import { olderCode } from './older-code.ts'
import { readMigrations } from './read-migrations.ts'
import { endsTransactions } from './split-sql.ts'

export interface PlanMigrationsOptions {
  /** Where Drizzle keeps its books. @default '__drizzle_migrations' */
  readonly migrationsTable?: string
  /** Who will apply them. `transaction`: a driver that migrates in one, with foreign keys on. `disarmed`: one that turns them off before. */
  readonly driver?: 'transaction' | 'disarmed' | 'unknown'
}

const PRISMA_TABLE = '_prisma_migrations'

/**
 * What is pending in a folder of Drizzle (both layouts) or Prisma, by the books of the database; and which of its
 * statements may take rows away.
 * @throws BackupError `USAGE` when the folder cannot be read
 */
export async function planMigrations(
  folder: string,
  found: FoundBefore,
  { migrationsTable = '__drizzle_migrations', driver = 'unknown' }: PlanMigrationsOptions = {},
): Promise<MigrationPlan> {
  const local = await readMigrations(folder)
  const isPrisma = await isPrismaFolder(folder)
  const booked = found.migrations[isPrisma ? PRISMA_TABLE : migrationsTable] ?? []
  const { pending, unknown } = findPending(local, booked.map(asApplied))
  // Prisma runs them statement by statement, so that what they say of foreign keys holds.
  const isArmed = !isPrisma && driver !== 'disarmed'
  const risks = findRisks(pending, {
    foreignKeysOn: isArmed,
    runsInTransaction: isArmed,
    cutsAtBreakpoints: !isPrisma && driver !== 'unknown',
    references: found.foreignKeys,
    remedy: '`migrateWithBackup` of @sqlite-backup/drizzle with `disarmForeignKeys: true` turns them off before.',
  })
  return {
    names: pending.map(({ name }) => name),
    sha256: hashMigrations(pending),
    isAtomic: !isPrisma && driver !== 'unknown' && !pending.some(({ sql }) => endsTransactions(sql)),
    ...(isPrisma ? {} : { tags: Object.fromEntries(local.migrations.map(({ hash, name }) => [hash, name])) }),
    warnings: [...(unknown.length > 0 ? [olderCode(unknown)] : []), ...risks.map(describeRisk)],
    allowLoss: allowedInFiles(pending),
  }
}

/** Prisma marks its folder: https://www.prisma.io/docs/orm/prisma-migrate/understanding-prisma-migrate/migration-histories */
async function isPrismaFolder(folder: string): Promise<boolean> {
  return access(join(folder, 'migration_lock.toml')).then(
    () => true,
    () => false,
  )
}

function asApplied({ name, hash = '', createdAt = 0 }: FoundBefore['migrations'][string][number]): AppliedMigration {
  return { hash, createdAt, ...(name === undefined ? {} : { name }) }
}
