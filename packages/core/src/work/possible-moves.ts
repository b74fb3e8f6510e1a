import type { SurveyedTable } from './protocol.ts'

type Tables = Readonly<Record<string, SurveyedTable>>

/** For each table that is gone: the new tables that have all its columns and at least as many rows. */
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

function fits(old: SurveyedTable, table: SurveyedTable): boolean {
  return (
    old.columns.every((column) => table.columns.includes(column)) &&
    old.rows !== null &&
    table.rows !== null &&
    table.rows >= old.rows
  )
}
