import { createHash } from 'node:crypto'
import { type DrizzleDatabase, queryRows, quoteName } from './drizzle-database.ts'
import type { LocalMigration, MigrationFolder } from './read-migrations.ts'

/** One row of Drizzle's table; `name` from 1.0 on. */
export interface AppliedMigration {
  readonly hash: string
  readonly createdAt: number
  readonly name?: string
}

export interface PendingReport {
  /** In the order in which they will be applied. */
  readonly pending: readonly LocalMigration[]
  /** Applied to the database and not known to this code: the database is newer than the code. */
  readonly unknown: readonly string[]
}

/** The rows of Drizzle's table, without making or changing it; empty when there is none. */
export async function readApplied(db: DrizzleDatabase, table: string): Promise<readonly AppliedMigration[]> {
  const columns = (await queryRows(db, `SELECT name FROM pragma_table_info('${table.replaceAll("'", "''")}')`)).map(
    (row) => row.name,
  )
  if (columns.length === 0) return []
  const name = columns.includes('name') ? 'name' : 'NULL AS name'
  const rows = await queryRows(db, `SELECT hash, created_at, ${name} FROM ${quoteName(table)} ORDER BY rowid`)
  return rows.map((row) => ({
    hash: String(row.hash),
    createdAt: Number(row.created_at),
    ...(typeof row.name === 'string' ? { name: row.name } : {}),
  }))
}

/**
 * What the migrator would apply, by its own rules. Pure.
 * Drizzle 0.x: all that is later than the newest row. 1.0: every name that has no row; rows that 0.x left have no name
 * yet and are matched by their second, else by their hash.
 */
export function findPending(
  { layout, migrations }: MigrationFolder,
  applied: readonly AppliedMigration[],
): PendingReport {
  if (layout === 'journal') {
    const newest = Math.max(...applied.map(({ createdAt }) => createdAt))
    const latest = Math.max(...migrations.map(({ whenMs }) => whenMs))
    return {
      pending: applied.length === 0 ? migrations : migrations.filter(({ whenMs }) => whenMs > newest),
      unknown: applied.filter(({ createdAt }) => createdAt > latest).map(({ name, hash }) => name ?? hash),
    }
  }
  const isNamed = applied.some(({ name }) => name !== undefined)
  const local = (row: AppliedMigration): LocalMigration | undefined =>
    row.name === undefined && !isNamed
      ? matchOld(row, migrations)
      : migrations.find((migration) => migration.name === row.name)
  const done = new Set(applied.map(local))
  return {
    pending: migrations.filter((migration) => !done.has(migration)),
    unknown: applied
      .filter((row) => local(row) === undefined && (row.name !== undefined || !isNamed))
      .map(({ name, hash }) => name ?? hash),
  }
}

function matchOld({ createdAt, hash }: AppliedMigration, migrations: readonly LocalMigration[]) {
  const second = Math.floor(createdAt / 1000) * 1000
  const sameSecond = migrations.filter(({ whenMs }) => whenMs === second)
  return sameSecond.length === 1 ? sameSecond[0] : migrations.find((each) => each.hash === hash)
}

/** Equal for the same migrations with the same content. */
export function hashMigrations(migrations: readonly LocalMigration[]): string {
  const hash = createHash('sha256')
  for (const { name, hash: content } of migrations) hash.update(`${name}\0${content}\n`)
  return hash.digest('hex')
}
