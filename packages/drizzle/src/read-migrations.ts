import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BackupError } from '@sqlite-backup/core'

/** One migration of the folder. */
export interface LocalMigration {
  /** `0007_add_plan`, or `20261120093000_add_plan` from Drizzle 1.0 on. */
  readonly name: string
  /** For messages: its file, from the migrations folder on. */
  readonly file: string
  /** What the database keeps of its moment. */
  readonly whenMs: number
  /** SHA-256 of the file, as the database keeps it. */
  readonly hash: string
  readonly sql: string
}

export interface MigrationFolder {
  /** `journal`: `meta/_journal.json` names `<tag>.sql` (Drizzle 0.x). `folders`: `<time>_<name>/migration.sql` (1.0). */
  readonly layout: 'journal' | 'folders'
  /** In the order in which Drizzle applies them. */
  readonly migrations: readonly LocalMigration[]
}

/**
 * The migrations in a folder, as the migrator will read them.
 * @throws BackupError `USAGE` when there is no such folder, or a file of it is missing
 */
export async function readMigrations(folder: string): Promise<MigrationFolder> {
  const journal = await readIfThere(join(folder, 'meta', '_journal.json'))
  return journal === undefined
    ? { layout: 'folders', migrations: await readFolders(folder) }
    : { layout: 'journal', migrations: await readJournal(folder, journal) }
}

async function readJournal(folder: string, journal: string): Promise<readonly LocalMigration[]> {
  return Promise.all(
    journalEntries(folder, journal).map(async ({ tag, when }) => {
      const file = `${tag}.sql`
      return migration(tag, file, when, await readRequired(folder, file))
    }),
  )
}

function journalEntries(folder: string, journal: string): readonly { readonly tag: string; readonly when: number }[] {
  const value: unknown = JSON.parse(journal)
  const entries = typeof value === 'object' && value !== null && 'entries' in value ? value.entries : undefined
  if (!Array.isArray(entries)) throw unreadable(folder, 'meta/_journal.json has no entries')
  return entries.map((entry: { readonly tag?: unknown; readonly when?: unknown }) => {
    if (typeof entry.tag !== 'string' || typeof entry.when !== 'number')
      throw unreadable(folder, 'an entry of meta/_journal.json has no tag or no time')
    return { tag: entry.tag, when: entry.when }
  })
}

async function readFolders(folder: string): Promise<readonly LocalMigration[]> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw unreadable(folder, 'there is no such folder', cause)
  })
  const found: LocalMigration[] = []
  // As Drizzle sorts them.
  for (const name of names.sort((a, b) => a.localeCompare(b))) {
    const file = join(name, 'migration.sql')
    const sql = await readIfThere(join(folder, file))
    if (sql !== undefined) found.push(migration(name, file, millisOf(name), sql))
  }
  return found
}

function migration(name: string, file: string, whenMs: number, sql: string): LocalMigration {
  return { name, file, whenMs, hash: createHash('sha256').update(sql).digest('hex'), sql }
}

/** `20261120093000` at the beginning of a name, in UTC. */
function millisOf(name: string): number {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = (
    /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(name) ?? []
  )
    .slice(1)
    .map(Number)
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

async function readRequired(folder: string, file: string): Promise<string> {
  const sql = await readIfThere(join(folder, file))
  if (sql === undefined) throw unreadable(folder, `${file} is in the journal and is not there`)
  return sql
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
}

function unreadable(folder: string, why: string, cause?: unknown): BackupError {
  return new BackupError('USAGE', `The migrations in ${folder} cannot be read: ${why}.`, {
    hint: 'migrationsFolder is relative to the folder the app was started in.',
    cause,
  })
}
