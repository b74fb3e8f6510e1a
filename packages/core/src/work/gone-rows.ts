import { DatabaseSync } from 'node:sqlite'
import { sqliteCode } from '../wal/result-code.ts'
import { attachImage, keyedColumnsOf } from './diff-images.ts'
import { isLookedUp, quoteName } from './image-database.ts'
import { matchColumns } from './possible-moves.ts'
import type { SurveyedTable } from './protocol.ts'

/** Columns of an older table, each with its name in the newer one. */
type Pairs = readonly (readonly [old: string, now: string])[]

/**
 * Rows of tables of an older image that tables of other names in the newer one do not have, by the old name and the new
 * one: all columns are compared, since ids of unrelated tables are the same. Without those that SQLite cannot compare
 * without the app, and without those of which so many columns are gone that what is left says nothing.
 */
export function countGoneRows(
  before: string,
  after: string,
  moves: ReadonlyMap<string, readonly string[]>,
): Record<string, Record<string, number>> {
  const pairs = [...moves].flatMap(([from, targets]) => targets.map((to) => [from, to] as const))
  const gone: Record<string, Record<string, number>> = {}
  if (pairs.length === 0) return gone
  return withBoth(before, after, (database) => {
    for (const [from, to] of pairs) {
      const old = keyedColumnsOf(database, 'now', from)
      const matched = [...matchColumns(namesOf(old), namesOf(keyedColumnsOf(database, 'after', to)))]
      const isTelling = matched.length === old.length || old.some(({ name, isKey }) => !isKey && has(matched, name))
      const count = isTelling ? countGone(database, from, to, matched) : undefined
      if (count !== undefined) gone[from] = { ...gone[from], [to]: count }
    }
    return gone
  })
}

/** Columns that have another name now, with every value of before: by table, the old name and the new one. */
export function findRenamedColumns(
  before: string,
  after: string,
  tables: Readonly<Record<'before' | 'after', Readonly<Record<string, SurveyedTable>>>>,
): Record<string, Record<string, string>> {
  const changed = Object.entries(tables.before).flatMap(([table, { columns }]) => {
    const now = tables.after[table]?.columns ?? []
    const pairs = [...matchColumns(columns, now)].filter(([old, name]) => old !== name)
    return pairs.length === 0 ? [] : [[table, pairs] as const]
  })
  const renamed: Record<string, Record<string, string>> = {}
  if (changed.length === 0) return renamed
  return withBoth(before, after, (database) => {
    for (const [table, pairs] of changed) {
      for (const [old, name] of pairs) {
        const keys = keyedColumnsOf(database, 'now', table).flatMap((each) => (each.isKey ? [each.name] : []))
        const compared: Pairs = [...keys.filter((key) => key !== old).map((key) => [key, key] as const), [old, name]]
        if (countGone(database, table, table, compared) === 0) renamed[table] = { ...renamed[table], [old]: name }
      }
    }
    return renamed
  })
}

function withBoth<T>(before: string, after: string, look: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(':memory:')
  try {
    attachImage(database, before, 'now')
    attachImage(database, after, 'after')
    return look(database)
  } finally {
    database.close()
  }
}

function countGone(database: DatabaseSync, from: string, to: string, pairs: Pairs): number | undefined {
  for (const write of [byKey, byContent]) {
    try {
      const sql = write(database, from, to, pairs)
      if (sql !== undefined) return Number(database.prepare(sql).get()?.n)
    } catch (error) {
      // A collation or a module that only the app has: the content can be compared without its collations.
      if (sqliteCode(error) === undefined) throw error
    }
  }
  return undefined
}

/** Where both have the same primary key, its index finds each row. */
function byKey(database: DatabaseSync, from: string, to: string, pairs: Pairs): string | undefined {
  const keysOf = (side: 'now' | 'after', table: string): readonly string[] =>
    keyedColumnsOf(database, side, table).flatMap(({ name, isKey }) => (isKey ? [name] : []))
  const keys = pairs.filter(([old]) => keysOf('now', from).includes(old))
  const names = keys.map(([, name]) => name)
  if (keys.length === 0 || keys.length !== keysOf('now', from).length) return undefined
  if (names.toSorted().join('\0') !== keysOf('after', to).toSorted().join('\0')) return undefined
  const onKey = keys.map(([old, name]) => `a.${quoteName(name)} IS b.${quoteName(old)}`).join(' AND ')
  const same = `(${valuesOf('a', pairs, 1)}) IS (${valuesOf('b', pairs, 0)})`
  const found = `SELECT 1 FROM after.${quoteName(to)} a WHERE ${onKey} AND ${same}`
  const sql = `SELECT count(*) AS n FROM now.${quoteName(from)} b WHERE NOT EXISTS (${found})`
  return isLookedUp(database, sql) ? sql : undefined
}

function byContent(_database: DatabaseSync, from: string, to: string, pairs: Pairs): string {
  const old = `SELECT ${valuesOf('b', pairs, 0)} FROM now.${quoteName(from)} b NOT INDEXED`
  const now = `SELECT ${valuesOf('a', pairs, 1)} FROM after.${quoteName(to)} a NOT INDEXED`
  return `SELECT count(*) AS n FROM (${old} EXCEPT ${now})`
}

function valuesOf(alias: 'a' | 'b', pairs: Pairs, side: 0 | 1): string {
  return pairs.map((pair) => `${alias}.${quoteName(pair[side])} COLLATE BINARY`).join(', ')
}

function namesOf(columns: readonly { readonly name: string }[]): readonly string[] {
  return columns.map(({ name }) => name)
}

function has(pairs: Pairs, name: string): boolean {
  return pairs.some(([old]) => old === name)
}
