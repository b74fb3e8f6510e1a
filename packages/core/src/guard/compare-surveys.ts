import { possibleMoves } from '../work/possible-moves.ts'
import type { ImageSurvey } from '../work/protocol.ts'
import type { LostRows } from './guard-api.ts'

export interface SurveyDifference {
  readonly lost: readonly LostRows[]
  /** Tables whose rows are in a table of another name now. */
  readonly moved: readonly { readonly from: string; readonly to: string }[]
  /** Tables that cannot be counted without the app, on either side. */
  readonly uncounted: readonly string[]
  /** Rows that refer to nothing and did not before, by `child → parent`. */
  readonly newViolations: Readonly<Record<string, { readonly before: number; readonly after: number }>>
  /** What SQLite's integrity check says and did not say before. */
  readonly newDamage: readonly string[]
  /** Tables that have more rows than before. */
  readonly grown: readonly string[]
  /** What is gone though no row is: columns, triggers and views, as sentences. */
  readonly gone: readonly string[]
}

/** What a migration made of a database: two surveys side by side. The tables of `bookkeeping` are the migrator's own. */
export function compareSurveys(
  before: ImageSurvey,
  after: ImageSurvey,
  bookkeeping: readonly string[],
): SurveyDifference {
  const isOurs = ([name]: [string, unknown]): boolean => !bookkeeping.includes(name)
  const old = Object.entries(before.tables).filter(isOurs)
  const moves = findMoves(before, after)
  const lost: LostRows[] = []
  const uncounted: string[] = []
  const grown: string[] = []
  for (const [table, { rows }] of old) {
    const now = after.tables[moves.get(table) ?? table]
    const left = now === undefined ? 0 : now.rows
    if (rows === null || left === null) uncounted.push(table)
    else if (left < rows) lost.push({ table, before: rows, after: left })
    else if (left > rows) {
      grown.push(table)
      const gone = after.goneKeys[table] ?? 0
      if (gone > 0) lost.push({ table, before: rows, after: rows - gone })
    }
  }
  const renamed = renamedReferences(before, after, moves)
  for (const [reference, count] of Object.entries(before.references)) {
    const [table = '', column = ''] = splitReference(reference, before)
    const now = moves.get(table) ?? table
    const found = after.references[renamed.get(reference) ?? `${now}.${column}`]
    // A column that went without another one coming has no new name: it is told as gone.
    if (found === undefined && isGone(after, now, column) && newColumns(before, after, table, now).length === 0)
      continue
    const left = found ?? 0
    // Rows that are gone have taken their references with them.
    if (left >= count || lost.some((each) => each.table === table)) continue
    lost.push({ table, column, before: count, after: left })
  }
  const violationsBefore = underNewNames(before.violations, moves)
  return {
    lost,
    moved: [...moves].map(([from, to]) => ({ from, to })),
    uncounted,
    newViolations: Object.fromEntries(
      Object.entries(after.violations)
        .map(([key, count]) => [key, { before: violationsBefore[key] ?? 0, after: count }] as const)
        .filter(([, counts]) => counts.after > counts.before),
    ),
    newDamage: after.outcome === 'damaged' ? after.messages.filter((each) => !before.messages.includes(each)) : [],
    grown,
    gone: [...goneColumns(before, after, moves), ...goneObjects(before, after)],
  }
}

/** Rows that referred to nothing under the tables' old names still do under the new ones. */
function underNewNames(
  violations: ImageSurvey['violations'],
  moves: ReadonlyMap<string, string>,
): ImageSurvey['violations'] {
  const renamed = (name: string): string => moves.get(name) ?? name
  return Object.fromEntries(
    Object.entries(violations).map(([key, count]) => [key.split(' → ').map(renamed).join(' → '), count]),
  )
}

function goneColumns(before: ImageSurvey, after: ImageSurvey, moves: ReadonlyMap<string, string>): readonly string[] {
  return Object.entries(before.tables).flatMap(([table, { rows, columns }]) => {
    const now = after.tables[moves.get(table) ?? table]
    const gone = columns.filter((column) => !now?.columns.includes(column))
    if (now === undefined || rows === 0 || gone.length === 0) return []
    return [`${table} has no ${gone.join(', ')} any more; what was in there is in the backup.`]
  })
}

/** A table that is rebuilt loses its triggers: https://sqlite.org/lang_altertable.html#making_other_kinds_of_table_schema_changes */
function goneObjects(before: ImageSurvey, after: ImageSurvey): readonly string[] {
  return Object.entries(before.objects)
    .filter(([name]) => after.objects[name] === undefined)
    .map(([name, kind]) => `There is no ${kind} ${name} any more.`)
}

/** Tables that are gone, and a new table for each that has all their columns and all their rows. */
function findMoves(before: ImageSurvey, after: ImageSurvey): ReadonlyMap<string, string> {
  const moves = new Map<string, string>()
  for (const [from, targets] of possibleMoves(before.tables, after.tables)) {
    const fits = targets.filter((to) => ![...moves.values()].includes(to) && (after.goneRows[from]?.[to] ?? 0) === 0)
    const best = fits.find((to) => after.tables[to]?.rows === before.tables[from]?.rows) ?? fits[0]
    if (best !== undefined) moves.set(from, best)
  }
  return moves
}

/** References whose column is gone, and one of a new column of the same table for each that has at least as many. */
function renamedReferences(
  before: ImageSurvey,
  after: ImageSurvey,
  moves: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const renamed = new Map<string, string>()
  for (const [reference, count] of Object.entries(before.references)) {
    const [table = '', column = ''] = splitReference(reference, before)
    const now = moves.get(table) ?? table
    if (!isGone(after, now, column)) continue
    const fits = newColumns(before, after, table, now)
      .map((name) => `${now}.${name}`)
      .filter((key) => (after.references[key] ?? -1) >= count && ![...renamed.values()].includes(key))
    const best = fits.find((key) => after.references[key] === count) ?? fits[0]
    if (best !== undefined) renamed.set(reference, best)
  }
  return renamed
}

function isGone({ tables }: ImageSurvey, table: string, column: string): boolean {
  return tables[table]?.columns.includes(column) !== true
}

/** Columns that a table has under its name of now and did not have before. */
function newColumns(before: ImageSurvey, after: ImageSurvey, table: string, now: string): readonly string[] {
  return (after.tables[now]?.columns ?? []).filter((column) => isGone(before, table, column))
}

/** `table.column`, where either may have a dot. */
function splitReference(reference: string, { tables }: ImageSurvey): readonly string[] {
  const table = Object.keys(tables).find((name) => reference.startsWith(`${name}.`)) ?? ''
  return [table, reference.slice(table.length + 1)]
}
