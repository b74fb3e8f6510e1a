import { hasColumns, matchColumns, possibleMoves } from '../work/possible-moves.ts'
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
  /** What is gone though no row is: columns, their values, triggers and views, as sentences. */
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
  const values = lostValues(before, after, bookkeeping).filter(
    ({ table, column }) => !lost.some((each) => each.table === table && each.column === column),
  )
  const isLoss = (each: LostRows): boolean => each.after === 0 && isRebuilt(before, after, each.table)
  lost.push(...values.filter(isLoss))
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
    gone: [
      ...replacedRows(before, after, bookkeeping),
      ...values.filter((each) => !isLoss(each)).map(describeLoss),
      ...goneColumns(before, after, moves),
      ...goneObjects(before, after),
    ],
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

/**
 * What a column had and has no more, though the rows are there. All of it in a rebuilt table: that has forgotten the
 * column, which is a loss. Otherwise an UPDATE has done it.
 */
function lostValues({ tables }: ImageSurvey, after: ImageSurvey, bookkeeping: readonly string[]): readonly LostRows[] {
  return Object.entries(after.lostValues).flatMap(([table, columns]) =>
    bookkeeping.includes(table) || tables[table] === undefined
      ? []
      : Object.entries(columns).map(([column, values]) => ({ table, column, of: 'values' as const, ...values })),
  )
}

function isRebuilt(before: ImageSurvey, after: ImageSurvey, table: string): boolean {
  return before.tables[table]?.rootPage !== after.tables[table]?.rootPage
}

/** New keys for the same rows, or other rows: the counts do not say. */
function replacedRows(before: ImageSurvey, after: ImageSurvey, bookkeeping: readonly string[]): readonly string[] {
  return Object.entries(after.goneKeys)
    .filter(([table]) => !bookkeeping.includes(table) && before.tables[table]?.rows === after.tables[table]?.rows)
    .map(
      ([table, gone]) =>
        `${table} has as many rows as before, but ${gone} of those by their primary key are not there any more.`,
    )
}

function goneColumns(before: ImageSurvey, after: ImageSurvey, moves: ReadonlyMap<string, string>): readonly string[] {
  return Object.entries(before.tables).flatMap(([table, { rows, columns }]) => {
    const now = after.tables[moves.get(table) ?? table]
    // The values of a table under another name have been compared.
    const kept = moves.has(table) ? matchColumns(columns, now?.columns ?? []) : undefined
    const isThere = (column: string): boolean | undefined =>
      now?.columns.includes(column) || kept?.has(column) || after.renamedColumns[table]?.[column] !== undefined
    const gone = columns.filter((column) => !isThere(column))
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

/** Tables that are gone, and a new table for each that has all their rows. */
function findMoves(before: ImageSurvey, after: ImageSurvey): ReadonlyMap<string, string> {
  const moves = new Map<string, string>()
  for (const [from, targets] of possibleMoves(before.tables, after.tables)) {
    const fits = targets.filter((to) => ![...moves.values()].includes(to) && holdsAll(before, after, from, to))
    const best = fits.find((to) => after.tables[to]?.rows === before.tables[from]?.rows) ?? fits[0]
    if (best !== undefined) moves.set(from, best)
  }
  return moves
}

function holdsAll(before: ImageSurvey, after: ImageSurvey, from: string, to: string): boolean {
  const [old, table] = [before.tables[from], after.tables[to]]
  // What cannot be compared without the app is believed if its columns have the same names.
  const isLikely = old !== undefined && table !== undefined && hasColumns(old, table)
  return (after.goneRows[from]?.[to] ?? (isLikely ? 0 : 1)) === 0
}

/** In a sentence. */
export function describeLoss({ table, column, of, before, after }: LostRows): string {
  if (of === 'values') {
    return after === 0
      ? `${table}.${column} lost all of its ${before} different values.`
      : `${table}.${column} has one value now where it had ${before} different ones.`
  }
  if (column !== undefined) return `${table}.${column} lost ${before - after} of ${before} references.`
  return after === 0 ? `${table} lost all of its ${before} rows.` : `${table} lost ${before - after} of ${before} rows.`
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
