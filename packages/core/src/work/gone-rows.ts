import { DatabaseSync } from 'node:sqlite'
import { sqliteCode } from '../wal/result-code.ts'
import { attachImage, keyedColumnsOf } from './diff-images.ts'
import { quoteName } from './image-database.ts'

/**
 * Rows of tables of an older image that tables of other names in the newer one do not have, by the old name and the new
 * one: all columns are compared, since ids of unrelated tables are the same. Without those that SQLite cannot compare
 * without the app.
 */
export function countGoneRows(
  before: string,
  after: string,
  moves: ReadonlyMap<string, readonly string[]>,
): Record<string, Record<string, number>> {
  const pairs = [...moves].flatMap(([from, targets]) => targets.map((to) => [from, to] as const))
  const gone: Record<string, Record<string, number>> = {}
  if (pairs.length === 0) return gone
  const database = new DatabaseSync(':memory:')
  try {
    attachImage(database, before, 'now')
    attachImage(database, after, 'after')
    for (const [from, to] of pairs) {
      const count = countGone(database, from, to)
      if (count !== undefined) gone[from] = { ...gone[from], [to]: count }
    }
    return gone
  } finally {
    database.close()
  }
}

function countGone(database: DatabaseSync, from: string, to: string): number | undefined {
  for (const sql of [byKey(database, from, to), byContent(database, from, to)]) {
    try {
      if (sql !== undefined) return Number(database.prepare(sql).get()?.n)
    } catch (error) {
      // A collation or a module that only the app has: the content can be compared without its collations.
      if (sqliteCode(error) === undefined) throw error
    }
  }
  return undefined
}

/** Where both have the same primary key, its index finds each row. */
function byKey(database: DatabaseSync, from: string, to: string): string | undefined {
  const columns = keyedColumnsOf(database, 'now', from)
  const namesOf = (side: typeof columns): readonly string[] =>
    side.filter(({ isKey }) => isKey).map(({ name }) => quoteName(name))
  const keys = namesOf(columns)
  if (keys.length === 0 || keys.join() !== namesOf(keyedColumnsOf(database, 'after', to)).join()) return undefined
  const onKey = keys.map((key) => `a.${key} IS b.${key}`).join(' AND ')
  const values = (alias: string): string =>
    `(${columns.map(({ name }) => `${alias}.${quoteName(name)} COLLATE BINARY`).join(', ')})`
  const same = `SELECT 1 FROM after.${quoteName(to)} a WHERE ${onKey} AND ${values('a')} IS ${values('b')}`
  return `SELECT count(*) AS n FROM now.${quoteName(from)} b WHERE NOT EXISTS (${same})`
}

function byContent(database: DatabaseSync, from: string, to: string): string {
  const columns = keyedColumnsOf(database, 'now', from)
    .map(({ name }) => `${quoteName(name)} COLLATE BINARY`)
    .join(', ')
  const rowsOf = (table: string): string => `SELECT ${columns} FROM ${table} NOT INDEXED`
  return `SELECT count(*) AS n FROM (${rowsOf(`now.${quoteName(from)}`)} EXCEPT ${rowsOf(`after.${quoteName(to)}`)})`
}
