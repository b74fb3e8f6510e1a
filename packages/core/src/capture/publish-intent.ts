import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { BackupError } from '../errors.ts'
import { fsyncDir, writeDurably } from '../spool/durable.ts'
import { followLinks } from '../spool/follow-links.ts'
import { isBusy } from '../wal/result-code.ts'
import { sqliteError } from './file-error.ts'
import { attachLive } from './live-database.ts'

/** Written before a publish does what SQLite alone would not repair after a crash. */
export interface PublishIntent {
  readonly target: string
  /** It was in WAL mode and has to be again; otherwise only SQLite's own journal is to be played back. */
  readonly wasWal: boolean
}

const FILE = 'publish-intent.json'

export async function writeIntent(spoolDir: string, intent: PublishIntent): Promise<void> {
  await writeDurably(join(spoolDir, FILE), Buffer.from(JSON.stringify(intent)))
}

export async function clearIntent(spoolDir: string): Promise<void> {
  await rm(join(spoolDir, FILE), { force: true })
  await fsyncDir(spoolDir)
}

/**
 * Finishes or undoes what a killed publish left: SQLite rolls back the journal, then WAL mode is put back. Either way
 * the target is the old or the new database, whole.
 * Only the database that is asked for is opened, whatever the record names: its folder may have moved since.
 * @returns the database that was looked after
 * @throws BackupError `RESTORE_TARGET_BUSY` when somebody has it open by now; the next call tries again
 */
export async function recoverPublish(spoolDir: string, target: string): Promise<string | undefined> {
  const intent = await readIntent(spoolDir)
  if (intent === undefined) return undefined
  const asked = existsSync(target) ? await followLinks(target) : undefined
  if (asked !== undefined) {
    await setJournalMode(asked, intent.wasWal && asked === intent.target ? 'wal' : 'as-is', 1000)
  }
  await clearIntent(spoolDir)
  return asked ?? target
}

/**
 * Plays back a crashed writer's journal, and brings the database into WAL or rollback mode.
 * @throws BackupError `RESTORE_TARGET_BUSY` when another connection keeps it from that for `waitMs`
 */
export async function setJournalMode(
  target: string,
  mode: 'wal' | 'rollback' | 'as-is',
  waitMs: number,
): Promise<void> {
  const live = attachLive(target)
  const url = pathToFileURL(live.realPath)
  url.searchParams.set('mode', 'rw')
  const connection = new DatabaseSync(url)
  const deadline = performance.now() + waitMs
  try {
    while (!switchMode(connection, mode, target)) {
      if (performance.now() >= deadline) {
        throw new BackupError('RESTORE_TARGET_BUSY', `Another process has ${target} open.`, {
          hint: 'Nothing was changed. Stop every process that has the database open and try again.',
        })
      }
      await delay(10)
    }
  } finally {
    connection.close()
    live.detach()
  }
}

/** Whether the database now is in that mode; false while another connection is in the way. */
function switchMode(connection: DatabaseSync, mode: 'wal' | 'rollback' | 'as-is', target: string): boolean {
  const current = (): string =>
    connection.prepare('PRAGMA journal_mode').get()?.journal_mode === 'wal' ? 'wal' : 'rollback'
  try {
    connection.exec('PRAGMA schema_version')
    // An empty file has no mode.
    if (mode === 'as-is' || connection.prepare('PRAGMA page_count').get()?.page_count === 0) return true
    if (current() !== mode) connection.exec(`PRAGMA journal_mode = ${mode === 'wal' ? 'WAL' : 'DELETE'}`)
    return current() === mode
  } catch (error) {
    if (isBusy(error)) return false
    throw sqliteError(error, target)
  }
}

async function readIntent(spoolDir: string): Promise<PublishIntent | undefined> {
  let text: string
  try {
    text = await readFile(join(spoolDir, FILE), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const value: unknown = JSON.parse(text)
  if (typeof value === 'object' && value !== null && 'target' in value && 'wasWal' in value) {
    const { target, wasWal } = value
    if (typeof target === 'string' && typeof wasWal === 'boolean') return { target, wasWal }
  }
  throw new BackupError('SPOOL_FAILED', `${join(spoolDir, FILE)} does not say which restore was interrupted.`, {
    hint: 'Look at the database; when it opens, delete that file.',
  })
}
