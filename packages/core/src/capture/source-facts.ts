import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import type { SourceFacts } from '../catalog/manifest.ts'
import { BackupError } from '../errors.ts'
import { isHeaderProblem, parseDatabaseHeader } from '../wal/database-header.ts'
import { sqliteCode } from '../wal/result-code.ts'
import { sqliteError } from './file-error.ts'
import type { Image } from './image.ts'

/** What the image's own header says. @throws BackupError `DATABASE_INVALID` */
export async function headerFacts(image: Image, path: string): Promise<Omit<SourceFacts, 'journalMode'>> {
  const page = Buffer.alloc(image.pageSize)
  await image.read(page, 1)
  const header = parseDatabaseHeader(page)
  if (isHeaderProblem(header) || header.pageSize !== image.pageSize) {
    const detail = isHeaderProblem(header) ? header.detail : `its page size would be ${header.pageSize}`
    throw new BackupError('DATABASE_INVALID', `The header of ${path} is corrupt: ${detail}.`, {
      hint: 'SQLite could not open it either. Restore a backup, or try: sqlite3 <file> .recover',
    })
  }
  const { userVersion, applicationId, schemaCookie } = header
  return { pageSize: image.pageSize, pageCount: image.pageCount, userVersion, applicationId, schemaCookie }
}

/**
 * What SQLite sees inside the read transaction that `connection` is in. Empty when it cannot read the schema: a damaged
 * database is still backed up, and said to be damaged when it is verified.
 */
export function schemaFacts(
  connection: DatabaseSync,
  path: string,
  schemaCookie: number,
): Pick<SourceFacts, 'schemaHash' | 'migration'> {
  try {
    // The connection may see an older commit than the image when the app commits without a pause.
    if (connection.prepare('PRAGMA schema_version').get()?.schema_version !== schemaCookie) return {}
    const migration = newestMigration(connection)
    return { schemaHash: schemaHash(connection), ...(migration === undefined ? {} : { migration }) }
  } catch (error) {
    if (sqliteCode(error) === undefined) throw sqliteError(error, path)
    return {}
  }
}

/** SHA-256 over sqlite_schema's SQL in the order of names, statements set apart by NUL. */
function schemaHash(connection: DatabaseSync): string {
  const hash = createHash('sha256')
  const rows = connection.prepare('SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name').iterate()
  for (const row of rows) hash.update(`${String(row.sql)}\0`)
  return hash.digest('hex')
}

// Drizzle keeps its journal in __drizzle_migrations(id, hash, created_at); newer versions add a name.
function newestMigration(connection: DatabaseSync): string | undefined {
  const table = connection
    .prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '__drizzle_migrations'")
    .get()
  if (table === undefined) return undefined
  const row = connection.prepare('SELECT * FROM __drizzle_migrations ORDER BY created_at DESC, id DESC LIMIT 1').get()
  const tag = row?.name ?? row?.hash
  return typeof tag === 'string' ? tag : undefined
}
