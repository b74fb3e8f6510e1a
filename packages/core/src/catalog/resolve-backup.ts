import { BackupError } from '../errors.ts'
import type { CallOptions, Storage } from '../storage/storage.ts'
import { parseBackupId } from './backup-id.ts'
import { parseBeforeMigration } from './before-migration.ts'
import { findBeforeMigration, migrationsBackedUp } from './find-before-migration.ts'
import { findById } from './find-by-id.ts'
import { findNewest } from './find-newest.ts'
import { findOldest } from './find-oldest.ts'
import type { BackupEntry } from './keys.ts'
import { listBackups } from './list-backups.ts'
import { listDatabases } from './list-databases.ts'
import type { Manifest } from './manifest.ts'
import { newestStates, type State } from './newest-states.ts'
import { parseTime } from './parse-time.ts'
import { readManifest } from './read-manifest.ts'

export interface FoundBackup extends State {
  readonly manifest: Manifest
}

/**
 * The backup that a person asked for: `latest` (no safety copy of a restore, see listStates; what grew from another before that one, see newestStates), an id, a time (the newest at or before it; local unless it says `Z` or
 * an offset), `before-migration:<tag>` (the newest made before that one was applied), or the name it was given (the newest of that name).
 * @throws BackupError `BACKUP_NOT_FOUND` with what there is instead, `MANIFEST_INVALID`
 */
export async function resolveBackup(
  storage: Storage,
  database: string,
  reference: string,
  options: CallOptions = {},
): Promise<FoundBackup> {
  const state = await findReferred(storage, database, reference, options)
  if (state === undefined) throw await notFound(storage, database, reference, options)
  return { ...state, manifest: await readManifest(storage, state.entry, options) }
}

/** What `reference` means. */
async function findReferred(
  storage: Storage,
  database: string,
  reference: string,
  options: CallOptions,
): Promise<State | undefined> {
  if (reference === 'latest') return (await newestStates(storage, database, options))[0]
  const entry = await findEntry(storage, database, reference, options)
  return entry === undefined ? undefined : { entry }
}

/** Of manifests, only those of backups made before migrations are read. */
async function findEntry(
  storage: Storage,
  database: string,
  reference: string,
  options: CallOptions,
): Promise<BackupEntry | undefined> {
  if (parseBackupId(reference) !== undefined) return findById(storage, database, reference, options)
  const migration = parseBeforeMigration(reference)
  if (migration !== undefined) return findBeforeMigration(storage, database, migration, options)
  const at = parseTime(reference)
  if (at !== undefined) return findNewest(storage, database, { at, ...options })
  for await (const entry of listBackups(storage, { database, name: reference, ...options })) return entry
  return undefined
}

async function notFound(
  storage: Storage,
  database: string,
  reference: string,
  options: CallOptions,
): Promise<BackupError> {
  const where = `of database ${JSON.stringify(database)} in ${storage.name}`
  const oldest = await findOldest(storage, database, options)
  const newest = await findNewest(storage, database, options)
  if (oldest === undefined || newest === undefined) {
    const others = await listDatabases(storage, options)
    return new BackupError('BACKUP_NOT_FOUND', `There is no backup ${where}.`, {
      hint:
        others.length === 0
          ? 'That storage holds no backups at all.'
          : `That storage holds backups of ${some(others)}.`,
    })
  }
  const migration = parseBeforeMigration(reference)
  if (migration !== undefined) {
    const known = await migrationsBackedUp(storage, database, options)
    return new BackupError(
      'BACKUP_NOT_FOUND',
      `There is no backup ${where} that was made before the migration ${JSON.stringify(migration)}.`,
      {
        hint:
          known.length === 0
            ? 'No backup of it was made before a migration.'
            : `There are some of before ${some(known)}. \`sqlite-backup list --tier pre-migration\` shows them.`,
      },
    )
  }
  const at = parseBackupId(reference) === undefined ? parseTime(reference) : undefined
  const message =
    at === undefined
      ? `There is no backup ${JSON.stringify(reference)} ${where}.`
      : `There is no backup ${where} made at or before ${at.toISOString()}.`
  return new BackupError('BACKUP_NOT_FOUND', message, {
    hint: `The oldest is ${describe(oldest)}, the newest ${describe(newest)}. Run \`sqlite-backup list\` to see all.`,
  })
}

function describe({ id, created }: BackupEntry): string {
  return `${id} of ${created.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

const SHOWN = 10

function some(names: readonly string[]): string {
  const shown = names.slice(0, SHOWN).join(', ')
  return names.length > SHOWN ? `${shown} and ${names.length - SHOWN} more` : shown
}
