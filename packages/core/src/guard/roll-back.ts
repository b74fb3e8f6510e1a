import { rename } from 'node:fs/promises'
import { join } from 'node:path'
import { catalogKey, parseCatalogKey } from '../catalog/keys.ts'
import type { EngineContext } from '../context.ts'
import type { RestoreResult } from '../engine-api.ts'
import { BackupError, messageOf } from '../errors.ts'
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
      ...(actor === undefined ? {} : { actor }),
      ...(intent.isBackupReused ? { keepSafetyCopy: keepLocally(context, dir) } : {}),
    }
    const found = { ...from, value: { entry, manifest } }
    const restored = await onceMore(() => restoreFound(context, found, options, signal))
    // What differs from now on was written by others.
    await writeIntent(dir, { ...intent, phase: 'rolled-back' })
    return restored
  } catch (error) {
    throw new BackupError(
      'MIGRATION_NOT_ROLLED_BACK',
      `The migration of ${intent.database} has to be rolled back to ${manifest.id}, and that failed: ${messageOf(error)}`,
      {
        hint: `The next guarded start tries again. By hand: \`sqlite-backup restore ${manifest.id} --db ${intent.database}\`.`,
        cause: error,
      },
    )
  }
}

function keepLocally(context: EngineContext, dir: string) {
  return async (copy: string): Promise<readonly string[]> => {
    const kept = join(dir, `rolled-back-${context.now().toISOString().replaceAll(':', '')}.db`)
    await rename(copy, kept)
    await removeOldCopies(dir)
    return [`What it made, and what others wrote meanwhile, is kept in ${kept}.`]
  }
}
