import { DatabaseSync } from 'node:sqlite'
import { BackupError, messageOf } from '../errors.ts'
import { sqliteCode } from '../wal/result-code.ts'
import { diffRows, type KeyedColumn } from './diff-rows.ts'
import { hashContent } from './hash-content.ts'
import { countRows, imageUri } from './image-database.ts'
import type { DiffReport, SchemaDifference, TableDifference } from './protocol.ts'

type Side = 'now' | 'after'

/**
 * What would change if the image `after` took the place of `now`: the schema, and the rows of each table, told apart by
 * its primary key. Without `now` there is nothing yet.
 * @throws BackupError `DATABASE_INVALID` when SQLite cannot read one of them
 */
export function diffImages(now: string | undefined, after: string): DiffReport {
  const database = new DatabaseSync(':memory:')
  try {
    attachImage(database, now, 'now')
    attachImage(database, after, 'after')
    const isSame = now !== undefined && hashContent(now) === hashContent(after)
    return { isSame, tables: diffTables(database, isSame), objects: diffObjects(database) }
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error
    throw new BackupError('DATABASE_INVALID', `SQLite could not compare them: ${messageOf(error)}`, { cause: error })
  } finally {
    database.close()
  }
}

/** Attaches an image, or nothing at all, as `now` or `after`. */
export function attachImage(database: DatabaseSync, file: string | undefined, side: Side): void {
  database.prepare(`ATTACH ? AS ${side}`).run(file === undefined ? ':memory:' : `${imageUri(file)}&mode=ro`)
}

function diffTables(database: DatabaseSync, isSame: boolean): readonly TableDifference[] {
  const [now, after] = [tablesOf(database, 'now'), tablesOf(database, 'after')]
  const names = [...new Set([...now.keys(), ...after.keys()])].sort()
  return names.map((name) => {
    const [before, then] = [now.get(name), after.get(name)]
    const rows = {
      now: before === undefined ? null : rowsOf(database, 'now', name),
      after: then === undefined ? null : rowsOf(database, 'after', name),
    }
    const columns = { columnsGoing: [], columnsComing: [] }
    if (before === undefined) return { name, ...rows, ...columns, schema: 'comes' }
    if (then === undefined) return { name, ...rows, ...columns, schema: 'goes' }
    const [left, right] = [keyedColumnsOf(database, 'now', name), keyedColumnsOf(database, 'after', name)]
    return {
      name,
      ...rows,
      schema: before === then ? 'same' : 'changed',
      columnsGoing: namesMissing(left, right),
      columnsComing: namesMissing(right, left),
      ...(isSame
        ? { rowsGoing: 0, rowsChanging: 0, rowsComing: 0 }
        : diffRows(database, name, { left, right, ...rows })),
    }
  })
}

/** The SQL of each table of the user, by name: without SQLite's own, and without those that a virtual one keeps its data in. */
function tablesOf(database: DatabaseSync, side: Side): ReadonlyMap<string, string> {
  const rows = database
    .prepare(
      `SELECT name, sql, rootpage = 0 AS isVirtual FROM ${side}.sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^'`,
    )
    .all()
  const virtual = rows.filter(({ isVirtual }) => isVirtual).map(({ name }) => `${String(name)}_`)
  const isShadow = (name: string): boolean => virtual.some((prefix) => name.startsWith(prefix))
  return new Map(rows.map((row) => [String(row.name), String(row.sql)] as const).filter(([name]) => !isShadow(name)))
}

function rowsOf(database: DatabaseSync, side: Side, table: string): number | null {
  const rows = countRows(database, table, side)
  return typeof rows === 'number' ? rows : null
}

/** The columns of a table of an attached image. */
export function keyedColumnsOf(database: DatabaseSync, side: Side, table: string): readonly KeyedColumn[] {
  try {
    const rows = database.prepare('SELECT name, pk FROM pragma_table_xinfo(?, ?)').all(table, side)
    return rows.map(({ name, pk }) => ({ name: String(name), isKey: Number(pk) > 0 }))
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error
    // A virtual table of a module that only the app has.
    return []
  }
}

function namesMissing(columns: readonly KeyedColumn[], others: readonly KeyedColumn[]): readonly string[] {
  const names = new Set(others.map(({ name }) => name))
  return columns.map(({ name }) => name).filter((name) => !names.has(name))
}

function diffObjects(database: DatabaseSync): readonly SchemaDifference[] {
  const [now, after] = [objectsOf(database, 'now'), objectsOf(database, 'after')]
  return [...new Set([...now.keys(), ...after.keys()])].sort().flatMap((key): SchemaDifference[] => {
    const [before, then] = [now.get(key), after.get(key)]
    const about = before ?? then
    if (about === undefined || before?.sql === then?.sql) return []
    const { type, name, table } = about
    return [{ type, name, table, schema: before === undefined ? 'comes' : then === undefined ? 'goes' : 'changed' }]
  })
}

interface SchemaObject extends Omit<SchemaDifference, 'schema'> {
  readonly sql: string
}

function objectsOf(database: DatabaseSync, side: Side): ReadonlyMap<string, SchemaObject> {
  const rows = database
    .prepare(
      `SELECT type, name, tbl_name, sql FROM ${side}.sqlite_schema
        WHERE type IN ('index', 'trigger', 'view') AND sql IS NOT NULL`,
    )
    .all()
  return new Map(
    rows.map((row) => [
      `${row.type} ${row.name}`,
      {
        type: row.type as SchemaDifference['type'],
        name: String(row.name),
        table: String(row.tbl_name),
        sql: String(row.sql),
      },
    ]),
  )
}
