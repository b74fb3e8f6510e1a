import { DatabaseSync } from 'node:sqlite'
import { sqliteCode } from '../wal/result-code.ts'
import { attachImage } from './diff-images.ts'
import { quoteName } from './image-database.ts'
import type { ImageSurvey, LostValues } from './protocol.ts'

type Tables = ImageSurvey['tables']

/**
 * Columns that had values and have none, or had different ones and have a single one, in tables whose rows are all there:
 * what an INSERT … SELECT that forgets a column leaves of it. By table and column; without those that SQLite cannot
 * compare without the app.
 */
export function findLostValues(
  before: string,
  after: string,
  tables: { readonly before: Tables; readonly after: Tables },
): Record<string, Record<string, LostValues>> {
  const lost: Record<string, Record<string, LostValues>> = {}
  const database = new DatabaseSync(':memory:')
  try {
    attachImage(database, before, 'now')
    attachImage(database, after, 'after')
    for (const [table, column] of columnsToCompare(tables.before, tables.after)) {
      const values = lostValues(database, table, column)
      if (values !== undefined) lost[table] = { ...lost[table], [column]: values }
    }
    return lost
  } finally {
    database.close()
  }
}

function columnsToCompare(before: Tables, after: Tables): readonly (readonly [table: string, column: string])[] {
  return Object.entries(before).flatMap(([table, { rows, columns, rootPage }]) => {
    const now = after[table]
    // Rows that are gone have taken their values along; a virtual table keeps its own elsewhere.
    if (!rows || !now?.rows || now.rows < rows || rootPage === 0 || now.rootPage === 0) return []
    return columns.filter((column) => now.columns.includes(column)).map((column) => [table, column] as const)
  })
}

function lostValues(database: DatabaseSync, table: string, column: string): LostValues | undefined {
  try {
    const had = varietyOf(database, `now.${quoteName(table)}`, column)
    const has = had === 0 ? 0 : varietyOf(database, `after.${quoteName(table)}`, column)
    if (has >= had) return undefined
    const name = quoteName(column)
    const sql = `SELECT count(DISTINCT ${name}) AS n FROM now.${quoteName(table)} NOT INDEXED WHERE ${name} <> ''`
    return { before: Number(database.prepare(sql).get()?.n), after: has }
  } catch (error) {
    // A collation or a function that only the app has.
    if (sqliteCode(error) === undefined) throw error
    return undefined
  }
}

/** 0: nothing but NULL and empty text. 1: the same everywhere. 2: more. Most columns say so with their first rows. */
function varietyOf(database: DatabaseSync, table: string, column: string): 0 | 1 | 2 {
  const name = `${quoteName(column)} COLLATE BINARY`
  const filled = `FROM ${table} NOT INDEXED WHERE ${name} <> ''`
  const isThere = (sql: string): boolean => database.prepare(`SELECT EXISTS(${sql}) AS n`).get()?.n === 1
  if (!isThere(`SELECT 1 ${filled}`)) return 0
  return isThere(`SELECT 1 ${filled} AND ${name} <> (SELECT ${quoteName(column)} ${filled} LIMIT 1)`) ? 2 : 1
}
