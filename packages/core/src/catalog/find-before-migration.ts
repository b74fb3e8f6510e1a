import { isBackupError } from '../errors.ts'
import type { CallOptions, Storage } from '../storage/storage.ts'
import type { BackupEntry } from './keys.ts'
import { listBackups } from './list-backups.ts'
import type { Manifest } from './manifest.ts'
import { readManifest } from './read-manifest.ts'

/**
 * The newest backup that was made with this migration still to be applied: the last moment before it. Reads the manifests
 * of tier `pre-migration` down to it.
 */
export async function findBeforeMigration(
  storage: Storage,
  database: string,
  tag: string,
  options: CallOptions = {},
): Promise<BackupEntry | undefined> {
  for await (const { entry, manifest } of backupsBeforeMigrations(storage, database, options)) {
    if (manifest.beforeMigration?.pending.some((name) => isSameMigration(name, tag))) return entry
  }
  return undefined
}

/** Migrations that have a backup of before, the newest backup first. */
export async function migrationsBackedUp(
  storage: Storage,
  database: string,
  options: CallOptions = {},
): Promise<readonly string[]> {
  const names = new Set<string>()
  for await (const { manifest } of backupsBeforeMigrations(storage, database, options)) {
    for (const name of manifest.beforeMigration?.pending ?? []) names.add(name)
  }
  return [...names]
}

/** Backups of tier `pre-migration` with their manifests, newest first. */
export async function* backupsBeforeMigrations(
  storage: Storage,
  database: string,
  options: CallOptions = {},
): AsyncGenerator<{ readonly entry: BackupEntry; readonly manifest: Manifest }> {
  for await (const entry of listBackups(storage, { database, tier: 'pre-migration', ...options })) {
    try {
      yield { entry, manifest: await readManifest(storage, entry, options) }
    } catch (error) {
      // One damaged manifest must not hide the others.
      if (!isBackupError(error, 'MANIFEST_INVALID') && !isBackupError(error, 'OBJECT_MISSING')) throw error
    }
  }
}

/** People name a migration with or without the end of its file name. */
function isSameMigration(name: string, tag: string): boolean {
  const bare = (text: string): string => text.replace(/\.(?:sql|[cm]?[jt]s)$/, '')
  return bare(name) === bare(tag)
}
