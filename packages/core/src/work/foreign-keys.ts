import type { DatabaseSync } from 'node:sqlite'
import { quoteName } from './image-database.ts'

/**
 * Rows of a table that refer to rows that are not there, as `PRAGMA foreign_key_check` counts them. That pragma reads
 * every row of the table; a query that can use the index of the foreign key first looks whether there is any, five times
 * as fast.
 * @throws what SQLite says, for example "foreign key mismatch"
 */
export function countForeignKeyViolations(database: DatabaseSync, table: string): number {
  const keys = foreignKeysOf(database, table)
  if (keys.every((key) => isAnswerable(database, table, key) && !hasViolation(database, table, key))) return 0
  return Number(database.prepare('SELECT count(*) AS n FROM pragma_foreign_key_check(?)').get(table)?.n)
}

interface ForeignKey {
  readonly parent: string
  readonly columns: readonly { readonly child: string; readonly parent: string }[]
}

interface Column {
  readonly name: string
  readonly affinity: string
  /** Position in the primary key, from 1; 0 when it is not in it. */
  readonly key: number
}

// https://sqlite.org/pragma.html#pragma_foreign_key_list
function foreignKeysOf(database: DatabaseSync, table: string): readonly ForeignKey[] {
  const rows = database
    .prepare(
      'SELECT id, "table" AS parent, "from" AS child, "to" AS target, seq FROM pragma_foreign_key_list(?) ORDER BY id, seq',
    )
    .all(table)
  const keys = new Map<unknown, { parent: string; columns: { child: string; parent: string }[] }>()
  for (const { id, parent, child, target, seq } of rows) {
    const key = keys.get(id) ?? { parent: String(parent), columns: [] }
    keys.set(id, key)
    // Without names the parent's primary key is meant.
    const primary = (): string =>
      columnsOf(database, key.parent).find((column) => column.key === Number(seq) + 1)?.name ?? ''
    key.columns.push({ child: String(child), parent: target === null ? primary() : String(target) })
  }
  return [...keys.values()]
}

function columnsOf(database: DatabaseSync, table: string): readonly Column[] {
  return database
    .prepare('SELECT name, type, pk FROM pragma_table_xinfo(?)')
    .all(table)
    .map(({ name, type, pk }) => ({ name: String(name), affinity: affinityOf(String(type)), key: Number(pk) }))
}

// https://sqlite.org/datatype3.html#determination_of_column_affinity
function affinityOf(type: string): string {
  if (/int/i.test(type)) return 'integer'
  if (/char|clob|text/i.test(type)) return 'text'
  if (type === '' || /blob/i.test(type)) return 'blob'
  return /real|floa|doub/i.test(type) ? 'real' : 'numeric'
}

/** The query means what the constraint means when values are not converted, and is fast when the parent's key is indexed. */
function isAnswerable(database: DatabaseSync, table: string, { parent, columns }: ForeignKey): boolean {
  const parents = columnsOf(database, parent)
  const children = columnsOf(database, table)
  const find = (among: readonly Column[], name: string): Column | undefined =>
    among.find((column) => column.name.toLowerCase() === name.toLowerCase())
  const isSameKind = columns.every((column) => {
    const affinity = find(parents, column.parent)?.affinity
    return affinity !== undefined && affinity === find(children, column.child)?.affinity
  })
  const isPrimaryKey =
    parents.filter((column) => column.key > 0).length === columns.length &&
    columns.every((column) => (find(parents, column.parent)?.key ?? 0) > 0)
  return isSameKind && isPrimaryKey
}

function hasViolation(database: DatabaseSync, table: string, { parent, columns }: ForeignKey): boolean {
  const children = columns.map(({ child }) => quoteName(child))
  const given = children.map((child) => `c.${child} IS NOT NULL`).join(' AND ')
  // The parent's column on the left: its collation decides, as in the constraint.
  const matches = columns.map((column) => `p.${quoteName(column.parent)} = c.${quoteName(column.child)}`).join(' AND ')
  const orphanOf = (source: string): string =>
    `SELECT 1 FROM ${source} c WHERE ${given} AND NOT EXISTS (SELECT 1 FROM ${quoteName(parent)} p WHERE ${matches}) LIMIT 1`
  // Each value once, when an index lets SQLite jump from one to the next. BINARY: the finest collation there is.
  const distinct = children.map((child) => `${child} COLLATE BINARY AS ${child}`).join(', ')
  const jumping = orphanOf(`(SELECT DISTINCT ${distinct} FROM ${quoteName(table)})`)
  const sql = needsSorting(database, jumping) ? orphanOf(quoteName(table)) : jumping
  return database.prepare(sql).get() !== undefined
}

// https://sqlite.org/eqp.html#temporary_sorting_b_trees
function needsSorting(database: DatabaseSync, sql: string): boolean {
  const steps = database.prepare(`EXPLAIN QUERY PLAN ${sql}`).all()
  return steps.some(({ detail }) => String(detail).includes('TEMP B-TREE'))
}
