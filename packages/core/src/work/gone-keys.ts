import { DatabaseSync } from 'node:sqlite'
import { sqliteCode } from '../wal/result-code.ts'
import { attachImage, keyedColumnsOf } from './diff-images.ts'
import { isLookedUp, quoteName } from './image-database.ts'

/**
 * Rows of an older image that are not in the newer one, told apart by their primary key, for each of the tables that has
 * lost any. Tables without a primary key, or with another one now, or one of another type, are left out.
 */
export function countGoneKeys(before: string, after: string, tables: readonly string[]): Record<string, number> {
  const gone: Record<string, number> = {}
  if (tables.length === 0) return gone
  const database = new DatabaseSync(':memory:')
  try {
    attachImage(database, before, 'now')
    attachImage(database, after, 'after')
    for (const table of tables) {
      const count = countGone(database, table)
      if (count > 0) gone[table] = count
    }
    return gone
  } finally {
    database.close()
  }
}

function countGone(database: DatabaseSync, table: string): number {
  const [before, after] = (['now', 'after'] as const).map((side) =>
    keyedColumnsOf(database, side, table)
      .filter(({ isKey }) => isKey)
      .map(({ name }) => name),
  )
  if (before === undefined || before.length === 0 || before.join('\0') !== after?.join('\0')) return 0
  const name = quoteName(table)
  const onKey = before.map((key) => `a.${quoteName(key)} IS b.${quoteName(key)}`).join(' AND ')
  try {
    const sql = `SELECT count(*) AS n FROM now.${name} b WHERE NOT EXISTS (SELECT 1 FROM after.${name} a WHERE ${onKey})`
    return isLookedUp(database, sql) ? Number(database.prepare(sql).get()?.n) : 0
  } catch (error) {
    // A collation or a module that only the app has.
    if (sqliteCode(error) === undefined) throw error
    return 0
  }
}
