import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { catalogKey, parseCatalogKey } from '../catalog/keys.ts'
import { databaseOf, type EngineContext } from '../context.ts'
import type { RestoreResult } from '../engine-api.ts'
import { BackupError, isBackupError, messageOf } from '../errors.ts'
import { type RestoreFoundOptions, restoreFound } from '../restore/restore-reference.ts'
import { type GuardIntent, writeIntent } from './intent.ts'
import { removeOldCopies } from './leftovers.ts'
import { onceMore } from './once-more.ts'

export interface RollBack {
  readonly intent: GuardIntent
  /** The guard's folder. */
  readonly dir: string
  readonly actor?: string | undefined
}

/**
 * Makes the database what it was before the migration, under the app's open connections. What is replaced, with
 * everything that others wrote meanwhile, becomes a backup first.
 * @throws BackupError `MIGRATION_NOT_ROLLED_BACK`; the next guard tries again
 */
export async function rollBack(
  context: EngineContext,
  { intent, dir, actor }: RollBack,
  signal: AbortSignal,
): Promise<RestoreResult> {
  const { manifest } = intent
  const entry = parseCatalogKey(catalogKey(manifest))
  const from = context.storages.find(({ name }) => name === intent.storage) ?? context.storages[0]
  if (entry === undefined || from === undefined) throw new BackupError('INTERNAL', 'The backup of before has no place.')
  await writeIntent(dir, { ...intent, phase: 'rolling-back' })
  try {
    const options: RestoreFoundOptions = {
      database: intent.database,
      // It is what was there an hour or a second ago, damaged or not.
      acceptDamaged: true,
      acceptOtherEnvironment: true,
      image: intent.image,
      // What differs from now on was written by others. Bringing the safety copy to the storages may take a while.
      onPublished: () => writeIntent(dir, { ...intent, phase: 'rolled-back' }),
      ...(actor === undefined ? {} : { actor }),
      ...(intent.isBackupReused ? { keepSafetyCopy: keepLocally(context, dir) } : {}),
    }
    const found = { ...from, value: { entry, manifest } }
    const restored = await onceMore(() => restoreFound(context, found, options, signal))
    return { ...restored, warnings: [...restored.warnings, ...(await otherJournalMode(context, intent, signal))] }
  } catch (error) {
    const holder = isBackupError(error, 'RESTORE_TARGET_BUSY')
      ? 'What holds it is a transaction that the migrator left open, or another process: end that. '
      : ''
    throw new BackupError(
      'MIGRATION_NOT_ROLLED_BACK',
      `The migration of ${intent.database} has to be rolled back to ${manifest.id}, and that failed: ${messageOf(error)}`,
      {
        hint: `${holder}The next guarded start tries again. By hand: \`sqlite-backup restore ${manifest.id} --db ${intent.database}\`.`,
        cause: error,
      },
    )
  }
}

/** It is the database's own and no part of its content: https://sqlite.org/backup.html copies pages. */
async function otherJournalMode(
  context: EngineContext,
  { database, manifest }: GuardIntent,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { path } = databaseOf(context, database)
  const now = await context.capture.inspect({ path }, { signal }).catch((error: unknown) => {
    // It is rolled back, whatever cannot be looked at now.
    if (!isBackupError(error)) throw error
    return undefined
  })
  const before = manifest.source.journalMode
  if (now?.journalMode === undefined || now.journalMode === before) return []
  const wanted = before === 'wal' ? 'WAL' : 'DELETE'
  return [
    `The migration changed the journal mode, which a roll-back leaves: PRAGMA journal_mode = ${wanted} sets it back.`,
  ]
}

function keepLocally(context: EngineContext, dir: string) {
  return async (copy: string): Promise<readonly string[]> => {
    const kept = join(dir, `rolled-back-${context.now().toISOString().replaceAll(':', '')}.db`)
    await rename(copy, kept)
    await removeOldCopies(dir)
    return [`What it made, and what others wrote meanwhile, is kept in ${kept}.`]
  }
}
