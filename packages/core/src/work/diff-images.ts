import { countRows, listTables, openImage, type TableFacts } from './image-database.ts'
import type { DiffReport } from './protocol.ts'

interface CountedTable extends TableFacts {
  readonly rows: number | null
}

/** Schema and row counts of two images side by side, by table name. `null`: not there, or not countable without the app. */
export function diffImages(before: string, after: string): DiffReport {
  const left = countTables(before)
  const right = countTables(after)
  const names = [...new Set([...left.keys(), ...right.keys()])].sort()
  return {
    tables: names.map((name) => ({
      name,
      before: left.get(name)?.rows ?? null,
      after: right.get(name)?.rows ?? null,
      schemaChanged: left.get(name)?.sql !== right.get(name)?.sql,
    })),
  }
}

function countTables(file: string): ReadonlyMap<string, CountedTable> {
  const database = openImage(file)
  try {
    const counted = listTables(database).map((table) => {
      const rows = countRows(database, table.name)
      return { ...table, rows: typeof rows === 'number' ? rows : null }
    })
    return new Map(counted.map((table) => [table.name, table]))
  } finally {
    database.close()
  }
}
