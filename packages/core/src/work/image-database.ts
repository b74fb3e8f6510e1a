import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

export interface TableFacts {
  readonly name: string
  readonly kind: 'table' | 'virtual'
  /** Its own CREATE and those of its indexes and triggers. */
  readonly sql: string
}

/**
 * Opens a database image that nobody else has open.
 * `immutable=1`: no locks, no `-wal` or `-shm` beside an image whose header says WAL: https://sqlite.org/uri.html#uriimmutable
 */
export function openImage(file: string): DatabaseSync {
  return new DatabaseSync(imageUri(file), { readOnly: true })
}

/** The URI of an image, for whoever opens it by name. */
export function imageUri(file: string): string {
  return `${pathToFileURL(file).href}?immutable=1`
}

/** User tables with everything their schema says, by name. Read from sqlite_schema: a table whose module is missing is there too. */
export function listTables(database: DatabaseSync): readonly TableFacts[] {
  const rows = database
    .prepare(
      `SELECT t.name AS name, t.rootpage = 0 AS isVirtual,
              (SELECT group_concat(sql, ';' || char(10)) FROM
                (SELECT sql FROM sqlite_schema s WHERE s.tbl_name = t.name AND sql IS NOT NULL ORDER BY s.type, s.name)) AS sql
         FROM sqlite_schema t WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY t.name`,
    )
    .all()
  return rows.map((row) => ({
    name: String(row.name),
    kind: row.isVirtual ? 'virtual' : 'table',
    sql: String(row.sql),
  }))
}

/** Lower-case hex SHA-256 over the SQL of every schema object, in the order of type and name, each ended by a zero byte. */
export function schemaHash(database: DatabaseSync): string {
  const hash = createHash('sha256')
  const statement = database.prepare(
    'SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name, tbl_name',
  )
  for (const row of statement.iterate()) hash.update(String(row.sql)).update('\0')
  return hash.digest('hex')
}

/** Rows of a table, or the error that kept SQLite from counting them. */
export function countRows(database: DatabaseSync, table: string, schema = 'main'): number | Error {
  const name = `${quoteName(schema)}.${quoteName(table)}`
  // The smallest index is the fastest way to count, but it may need a collation only the app has; the table itself does not.
  for (const hint of ['', ' NOT INDEXED']) {
    try {
      return Number(database.prepare(`SELECT count(*) AS n FROM ${name}${hint}`).get()?.n)
    } catch (error) {
      if (hint !== '') return error as Error
    }
  }
  return 0
}

/**
 * Whether SQLite would look up the rows of `a` by an index. Keys of another type or collation than the other table's are
 * searched from end to end, once for each of its rows: https://sqlite.org/datatype3.html#type_conversions_prior_to_comparison
 */
export function isLookedUp(database: DatabaseSync, sql: string): boolean {
  const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()
  return !steps.some(({ detail }) => /^SCAN a\b/.test(String(detail)))
}

export function pragmaNumber(database: DatabaseSync, name: string): number {
  return Number(Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0] ?? 0)
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
