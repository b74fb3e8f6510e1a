import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { sqliteCode } from '../wal/result-code.ts'
import { checkImage } from './check-image.ts'
import { countForeignKeyViolations } from './foreign-keys.ts'
import { countGoneKeys } from './gone-keys.ts'
import { countGoneRows, findRenamedColumns } from './gone-rows.ts'
import { hashContent } from './hash-content.ts'
import { countRows, listTables, openImage, quoteName } from './image-database.ts'
import { findLostValues } from './lost-values.ts'
import { possibleMoves } from './possible-moves.ts'
import type { BookedMigration, ImageSurvey, SurveyedBefore, SurveyedForeignKey, SurveyedTable } from './protocol.ts'

export interface SurveyOptions {
  /** Tables in which migrators keep their books: no part of `schemaSha256`. */
  readonly bookkeeping: readonly string[]
  readonly since?: SurveyedBefore
  /** Memory for pages. @default what SQLite takes: 2 MB */
  readonly cacheBytes?: number
}

/** All that a migration must not lose: SQLite's checks, rows, references, and what the schema is. */
export function surveyImage(file: string, options: SurveyOptions): ImageSurvey {
  const { outcome, messages, pageCount } = checkImage(file, {
    depth: 'full',
    rowCounts: false,
    foreignKeys: false,
    ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
  })
  const about = { outcome, messages, pageCount, contentSha256: hashContent(file) }
  try {
    return { ...about, ...surveyContent(file, options) }
  } catch (error) {
    if (outcome !== 'damaged' || sqliteCode(error) === undefined) throw error
    // Pages that SQLite cannot read have nothing to count.
    const nothing = { tables: {}, references: {}, violations: {}, schemaSha256: '', migrations: {} }
    return { ...about, ...nothing, ...nothingSince, foreignKeys: [], objects: {} }
  }
}

const nothingSince = { goneKeys: {}, goneRows: {}, renamedColumns: {}, lostValues: {} } as const

function surveyContent(file: string, { bookkeeping, since }: SurveyOptions) {
  const database = openImage(file)
  try {
    const tables = surveyTables(database)
    return {
      tables,
      references: countReferences(database, Object.keys(tables), since?.references ?? []),
      violations: countViolations(database, Object.keys(tables)),
      schemaSha256: hashSchema(database, bookkeeping),
      migrations: readMigrations(database, bookkeeping),
      foreignKeys: readForeignKeys(database, Object.keys(tables)),
      ...(since === undefined ? nothingSince : surveySince(file, tables, since)),
      objects: readObjects(database),
    }
  } finally {
    database.close()
  }
}

function surveySince(file: string, after: ImageSurvey['tables'], { file: old, tables: before }: SurveyedBefore) {
  return {
    goneKeys: countGoneKeys(old, file, fullTables(after, before)),
    goneRows: countGoneRows(old, file, possibleMoves(before, after)),
    renamedColumns: findRenamedColumns(old, file, { before, after }),
    lostValues: findLostValues(old, file, { before, after }),
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
  const roots = new Map(
    database
      .prepare("SELECT name, rootpage FROM sqlite_schema WHERE type = 'table'")
      .all()
      .map((row) => [String(row.name), Number(row.rootpage)]),
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
        const columns = columnsOf(database, name)
        return [name, { rows: typeof rows === 'number' ? rows : null, columns, rootPage: roots.get(name) ?? 0 }]
      }),
  )
}

/** New rows, of the migration or of others who write meanwhile, may have made up for rows that are gone. */
function fullTables(tables: ImageSurvey['tables'], before: ImageSurvey['tables']): readonly string[] {
  return Object.entries(tables)
    .filter(([name, { rows }]) => rows !== null && rows >= (before[name]?.rows || rows + 1))
    .map(([name]) => name)
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
 * https://sqlite.org/foreignkeys.html#fk_actions. Those that were counted before are counted in any case.
 */
function countReferences(
  database: DatabaseSync,
  tables: readonly string[],
  countedBefore: readonly string[],
): Record<string, number> {
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
      for (const name of columnsOf(database, table)) {
        const key = `${table}.${name}`
        if (counts[key] !== undefined || !countedBefore.includes(key)) continue
        const sql = `SELECT count(${quoteName(name)}) AS n FROM ${quoteName(table)} NOT INDEXED`
        counts[key] = Number(database.prepare(sql).get()?.n)
      }
    } catch (error) {
      // Like its rows, what needs the app's own functions or modules cannot be counted here.
      if (sqliteCode(error) === undefined) throw error
    }
  }
  return counts
}

/** Rows that refer to nothing, by `child → parent`: https://sqlite.org/pragma.html#pragma_foreign_key_check */
function countViolations(database: DatabaseSync, tables: readonly string[]): Record<string, number> {
  const found: Record<string, number> = {}
  for (const child of tables) {
    try {
      if (countForeignKeyViolations(database, child) === 0) continue
      const byParent = database.prepare('SELECT parent, count(*) AS n FROM pragma_foreign_key_check(?) GROUP BY parent')
      for (const { parent, n } of byParent.all(child)) found[`${child} → ${parent}`] = Number(n)
    } catch (error) {
      // A parent table without its unique index ("foreign key mismatch"), or a module of the app: SQLite cannot say.
      if (sqliteCode(error) === undefined) throw error
    }
  }
  return found
}

function hashSchema(database: DatabaseSync, bookkeeping: readonly string[]): string {
  const hash = createHash('sha256')
  const rows = database.prepare('SELECT tbl_name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name')
  for (const row of rows.iterate()) {
    if (!bookkeeping.includes(String(row.tbl_name))) hash.update(`${String(row.sql)}\0`)
  }
  return hash.digest('hex')
}

/** Their columns differ: Drizzle has hash, created_at and (1.0) name, Knex and Kysely name, Prisma migration_name. */
function readMigrations(
  database: DatabaseSync,
  bookkeeping: readonly string[],
): Record<string, readonly BookedMigration[]> {
  const found: Record<string, readonly BookedMigration[]> = {}
  for (const table of bookkeeping) {
    const columns = columnsOf(database, table)
    const name = ['migration_name', 'name'].find((each) => columns.includes(each))
    if (name === undefined && !columns.includes('hash')) continue
    const wanted = [name, ...['hash', 'created_at'].filter((each) => columns.includes(each))].filter(
      (each) => each !== undefined,
    )
    // The table itself has them in the order of its rows, an index would not; it may have no rowid to order by.
    const rows = database.prepare(`SELECT ${wanted.map(quoteName).join(', ')} FROM ${quoteName(table)} NOT INDEXED`)
    found[table] = rows.all().map((row) => ({
      ...textIn('name', name === undefined ? null : row[name]),
      ...textIn('hash', row.hash),
      ...(typeof row.created_at === 'number' ? { createdAt: row.created_at } : {}),
    }))
  }
  return found
}

function textIn(key: 'name' | 'hash', value: unknown): Pick<BookedMigration, 'name' | 'hash'> {
  return value === null || value === undefined ? {} : { [key]: String(value) }
}

function readForeignKeys(database: DatabaseSync, tables: readonly string[]): readonly SurveyedForeignKey[] {
  return tables.flatMap((child) => {
    try {
      const keys = database.prepare(
        'SELECT DISTINCT "table" AS parent, on_delete AS action FROM pragma_foreign_key_list(?)',
      )
      return keys.all(child).map((row) => ({ child, parent: String(row.parent), onDelete: String(row.action) }))
    } catch (error) {
      if (sqliteCode(error) === undefined) throw error
      return []
    }
  })
}

function readObjects(database: DatabaseSync): Record<string, 'trigger' | 'view'> {
  const rows = database.prepare("SELECT name, type FROM sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY name")
  return Object.fromEntries(rows.all().map(({ name, type }) => [String(name), type === 'view' ? 'view' : 'trigger']))
}
