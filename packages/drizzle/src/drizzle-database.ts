/** What is used of a Drizzle database, of any version and driver: `db.all('SELECT …')` and `db.run('PRAGMA …')`. */
export interface DrizzleDatabase {
  all(query: string): unknown
  run(query: string): unknown
}

/** The options of Drizzle's migrators that say where the migrations are. */
export interface DrizzleMigrationConfig {
  readonly migrationsFolder: string
  /** @default '__drizzle_migrations' */
  readonly migrationsTable?: string
}

export type Row = Readonly<Record<string, unknown>>

/** Rows of a query on the app's own connection; drivers answer at once or by a promise. */
export async function queryRows(db: DrizzleDatabase, query: string): Promise<readonly Row[]> {
  const rows = await db.all(query)
  return Array.isArray(rows) ? rows : []
}

/** The file of the connection; empty for a database in memory. https://sqlite.org/pragma.html#pragma_database_list */
export async function fileOf(db: DrizzleDatabase): Promise<string> {
  const rows = await queryRows(db, 'PRAGMA database_list')
  return String(rows.find(({ name }) => name === 'main')?.file ?? '')
}

/** @libsql/client turns foreign keys off by itself, outside of the transaction in which it migrates. */
export function disarmsByItself(db: DrizzleDatabase): boolean {
  const client: unknown = '$client' in db ? db.$client : undefined
  return typeof client === 'object' && client !== null && 'migrate' in client && typeof client.migrate === 'function'
}

/** The driver blocks: it migrates in one transaction on its one connection. */
export function isSync(db: DrizzleDatabase): boolean {
  return 'resultKind' in db && db.resultKind === 'sync'
}

/** As better-sqlite3, libsql and node:sqlite say it of their one connection. */
export function isInTransaction(db: DrizzleDatabase): boolean {
  const client: unknown = '$client' in db ? db.$client : undefined
  if (typeof client !== 'object' || client === null) return false
  return (
    ('inTransaction' in client && client.inTransaction === true) ||
    ('isTransaction' in client && client.isTransaction === true)
  )
}

export async function areForeignKeysOn(db: DrizzleDatabase): Promise<boolean> {
  const [row] = await queryRows(db, 'PRAGMA foreign_keys')
  return Number(row?.foreign_keys) === 1
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
