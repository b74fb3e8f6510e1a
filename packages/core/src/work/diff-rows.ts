import type { DatabaseSync } from 'node:sqlite'
import { sqliteCode } from '../wal/result-code.ts'
import { isLookedUp, quoteName } from './image-database.ts'
import type { TableDifference } from './protocol.ts'

export interface KeyedColumn {
  readonly name: string
  /** Part of the primary key. */
  readonly isKey: boolean
}

export interface DiffRows {
  readonly left: readonly KeyedColumn[]
  readonly right: readonly KeyedColumn[]
  /** Rows on each side; `null`: not countable. */
  readonly now: number | null
  readonly after: number | null
}

type RowDifference = Pick<TableDifference, 'rowsGoing' | 'rowsChanging' | 'rowsComing'>

/**
 * Rows of the attached `now.table` that `after.table` does not have, has otherwise, and has besides: by primary key. Without
 * one nothing tells two rows apart (a VACUUM may give them other rowids: https://sqlite.org/lang_vacuum.html), so then there
 * is only what the counts say.
 */
export function diffRows(database: DatabaseSync, table: string, { left, right, now, after }: DiffRows): RowDifference {
  if (now === null || after === null) return {}
  const keys = left.filter(({ isKey }) => isKey).map(({ name }) => name)
  const hasSameKey = keys.length > 0 && keys.join('\0') === namesOf(right.filter(({ isKey }) => isKey)).join('\0')
  if (!hasSameKey) return {}
  const onKey = keys.map((name) => `b.${quoteName(name)} IS a.${quoteName(name)}`).join(' AND ')
  const shared = namesOf(left).filter((name) => !keys.includes(name) && namesOf(right).includes(name))
  const [before, then] = [`now.${quoteName(table)}`, `after.${quoteName(table)}`]
  try {
    const going = `SELECT count(*) AS n FROM ${before} b WHERE NOT EXISTS (SELECT 1 FROM ${then} a WHERE ${onKey})`
    // Keys of another type are other keys.
    if (!isLookedUp(database, going)) return {}
    const rowsGoing = countOf(database, going)
    const rowsChanging =
      shared.length === 0
        ? 0
        : countOf(
            database,
            `SELECT count(*) AS n FROM ${before} b JOIN ${then} a ON ${onKey} WHERE ${valuesOf('b', shared)} IS NOT ${valuesOf('a', shared)}`,
          )
    return { rowsGoing, rowsChanging, rowsComing: after - (now - rowsGoing) }
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error
    // A collation that only the app has.
    return {}
  }
}

function countOf(database: DatabaseSync, sql: string): number {
  return Number(database.prepare(sql).get()?.n)
}

function namesOf(columns: readonly KeyedColumn[]): readonly string[] {
  return columns.map(({ name }) => name)
}

/** A row value, byte by byte: `Ann` and `ann` differ, whatever the column's collation says. */
function valuesOf(alias: string, names: readonly string[]): string {
  return `(${names.map((name) => `${alias}.${quoteName(name)} COLLATE BINARY`).join(', ')})`
}
