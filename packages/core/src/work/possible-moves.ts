import type { SurveyedTable } from './protocol.ts'

type Tables = Readonly<Record<string, SurveyedTable>>

/** For each table that is gone: the new tables that may hold its rows. Whether they do, their values say. */
export function possibleMoves(before: Tables, after: Tables): ReadonlyMap<string, readonly string[]> {
  const isNew = ([name]: [string, SurveyedTable]): boolean => before[name] === undefined
  const isGone = ([name]: [string, SurveyedTable]): boolean => after[name] === undefined
  const candidates = Object.entries(after).filter(isNew)
  return new Map(
    Object.entries(before)
      .filter(isGone)
      .map(([from, old]) => [from, candidates.filter(([, table]) => fits(old, table)).map(([to]) => to)]),
  )
}

/** Under which name a table has each of its columns now: its own, else, one after the other, those that are new. */
export function matchColumns(old: readonly string[], now: readonly string[]): ReadonlyMap<string, string> {
  const fresh = now.filter((name) => !old.includes(name))
  return new Map(
    old.flatMap((name) => {
      const to = now.includes(name) ? name : fresh.shift()
      return to === undefined ? [] : [[name, to] as const]
    }),
  )
}

/** It has all the columns by their names. */
export function hasColumns(old: SurveyedTable, table: SurveyedTable): boolean {
  return old.columns.every((column) => table.columns.includes(column))
}

function fits(old: SurveyedTable, table: SurveyedTable): boolean {
  if (old.rows === null || table.rows === null || table.rows < old.rows) return false
  if (hasColumns(old, table)) return true
  // ALTER TABLE leaves a table where it lies, whatever it renames: https://sqlite.org/lang_altertable.html. Another one
  // may lie there as well, and is told by its values, of which an empty table has none.
  return old.rows > 0 && old.rootPage > 0 && old.rootPage === table.rootPage
}
