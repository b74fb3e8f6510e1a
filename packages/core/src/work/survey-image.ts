import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { sqliteCode } from '../wal/result-code.ts'
import { checkImage } from './check-image.ts'
import { countRows, listTables, openImage, quoteName } from './image-database.ts'
import type { ImageSurvey, SurveyedTable } from './protocol.ts'

export interface SurveyOptions {
  /** Tables in which migrators keep their books: no part of `schemaSha256`. */
  readonly bookkeeping: readonly string[]
}

/** All that a migration must not lose: SQLite's checks, rows, references, and what the schema is. */
export function surveyImage(file: string, options: SurveyOptions): ImageSurvey {
  const { outcome, messages, pageCount } = checkImage(file, { depth: 'full', rowCounts: false })
  const about = { outcome, messages, pageCount, contentSha256: hashContent(file) }
  try {
    return { ...about, ...surveyContent(file, options) }
  } catch (error) {
    if (outcome !== 'damaged' || sqliteCode(error) === undefined) throw error
    // Pages that SQLite cannot read have nothing to count.
    return { ...about, tables: {}, references: {}, violations: {}, schemaSha256: '', migrations: {} }
  }
}

function surveyContent(file: string, { bookkeeping }: SurveyOptions) {
  const database = openImage(file)
  try {
    const tables = surveyTables(database)
    return {
      tables,
      references: countReferences(database, Object.keys(tables)),
      violations: countViolations(database),
      schemaSha256: hashSchema(database, bookkeeping),
      migrations: readMigrations(database, bookkeeping),
    }
  } finally {
    database.close()
  }
}

function surveyTables(database: DatabaseSync): Record<string, SurveyedTable> {
  // `shadow`: what a virtual table keeps its data in, and rearranges as it likes. https://sqlite.org/pragma.html#pragma_table_list
  const kinds = new Map(
    database
      .prepare("SELECT name, type FROM pragma_table_list WHERE schema = 'main'")
      .all()
      .map((row) => [String(row.name), String(row.type)]),
  )
  const listed = listTables(database)
  const virtual = listed.filter(({ kind }) => kind === 'virtual').map(({ name }) => name)
  // A module that only the app has cannot say which tables are its shadows; by custom their names start with its own.
  const isShadow = (name: string): boolean =>
    kinds.get(name) === 'shadow' || virtual.some((owner) => name.startsWith(`${owner}_`))
  return Object.fromEntries(
    listed
      .filter(({ name }) => !isShadow(name))
      .map(({ name }) => {
        const rows = countRows(database, name)
        return [name, { rows: typeof rows === 'number' ? rows : null, columns: columnsOf(database, name) }]
      }),
  )
}

function columnsOf(database: DatabaseSync, table: string): readonly string[] {
  try {
    const rows = database.prepare('SELECT name FROM pragma_table_xinfo(?)').all(table)
    return rows.map((row) => String(row.name))
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error
    // A virtual table of a module that only the app has.
    return []
  }
}

/**
 * How many rows refer to another one, by `table.column`, where a delete there would quietly take the reference away:
 * https://sqlite.org/foreignkeys.html#fk_actions
 */
function countReferences(database: DatabaseSync, tables: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const table of tables) {
    try {
      const keys = database.prepare('SELECT "from" AS name, on_delete AS action FROM pragma_foreign_key_list(?)')
      for (const { name, action } of keys.all(table)) {
        if (action !== 'SET NULL' && action !== 'SET DEFAULT') continue
        const column = quoteName(String(name))
        // Set to a default, all refer to the same row.
        const count = action === 'SET NULL' ? `count(${column})` : `count(DISTINCT ${column})`
        const row = database.prepare(`SELECT ${count} AS n FROM ${quoteName(table)} NOT INDEXED`).get()
        counts[`${table}.${String(name)}`] = Number(row?.n)
      }
    } catch (error) {
      // Like its rows, what needs the app's own functions or modules cannot be counted here.
      if (sqliteCode(error) === undefined) throw error
    }
  }
  return counts
}

/** Rows that refer to nothing, by `child → parent`: https://sqlite.org/pragma.html#pragma_foreign_key_check */
function countViolations(database: DatabaseSync): Record<string, number> {
  try {
    const rows = database
      .prepare('SELECT "table" AS child, parent, count(*) AS n FROM pragma_foreign_key_check GROUP BY 1, 2')
      .all()
    return Object.fromEntries(rows.map(({ child, parent, n }) => [`${child} → ${parent}`, Number(n)]))
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error
    // A parent table without its unique index ("foreign key mismatch"): SQLite cannot say.
    return {}
  }
}

function hashSchema(database: DatabaseSync, bookkeeping: readonly string[]): string {
  const hash = createHash('sha256')
  const rows = database.prepare('SELECT tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name')
  for (const row of rows.iterate()) {
    if (!bookkeeping.includes(String(row.tbl_name))) hash.update(`${String(row.sql)}\0`)
  }
  return hash.digest('hex')
}

// Their columns differ: Drizzle has name (1.0) or hash, Knex and Kysely name, Prisma migration_name.
const NAME_COLUMNS = ['migration_name', 'name', 'hash']

function readMigrations(database: DatabaseSync, bookkeeping: readonly string[]): Record<string, readonly string[]> {
  const found: Record<string, readonly string[]> = {}
  for (const table of bookkeeping) {
    const columns = columnsOf(database, table)
    const column = NAME_COLUMNS.find((name) => columns.includes(name))
    if (column === undefined) continue
    const rows = database.prepare(`SELECT ${quoteName(column)} AS name FROM ${quoteName(table)} ORDER BY rowid`).all()
    found[table] = rows.map(({ name }) => String(name))
  }
  return found
}

/** What in the header changes though the content does not: https://sqlite.org/fileformat2.html#the_database_header */
const COUNTERS = [
  // File format versions: WAL or rollback journal.
  [18, 20],
  // File change counter.
  [24, 28],
  // Schema cookie: SQLite's Backup API, which restores, raises it.
  [40, 44],
  // version-valid-for, and the version of the SQLite that wrote last.
  [92, 100],
] as const

const CHUNK_BYTES = 1024 * 1024

/** SHA-256 over the file, with zeros for the counters in its header. */
function hashContent(file: string): string {
  const hash = createHash('sha256')
  const fd = openSync(file, 'r')
  try {
    const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
    for (let position = 0; ; ) {
      const count = readSync(fd, buffer, 0, buffer.length, position)
      if (count === 0) return hash.digest('hex')
      if (position === 0) for (const [start, end] of COUNTERS) buffer.fill(0, start, end)
      hash.update(buffer.subarray(0, count))
      position += count
    }
  } finally {
    closeSync(fd)
  }
}
