import { backupDatabase } from '../backup/backup-database.ts'
import type { BeforeMigration, Manifest } from '../catalog/manifest.ts'
import { whyBadBackupName } from '../catalog/names.ts'
import type { ResolvedDatabase } from '../config/config.ts'
import type { EngineContext } from '../context.ts'
import { BackupError, isBackupError } from '../errors.ts'
import { verifyAfterBackup } from '../verify/verify-after-backup.ts'
import { findReusable } from './find-reusable.ts'
import type { GuardOptions } from './guard-api.ts'
import type { TakenImage } from './take-image.ts'

export interface BackupBefore {
  readonly manifest: Manifest
  readonly isReused: boolean
  /** A storage that has it. */
  readonly storage: string
  readonly warnings: readonly string[]
}

/**
 * The backup of tier `pre-migration`, of an image on local disk, in every storage it has to reach. One that an earlier try
 * made of the same content is as good.
 * @throws BackupError `BACKUP_FAILED`: then nothing may be migrated
 */
export async function backUpBefore(
  context: EngineContext,
  database: ResolvedDatabase,
  image: TakenImage,
  beforeMigration: BeforeMigration,
  { actor }: Pick<GuardOptions, 'actor'>,
  signal: AbortSignal,
): Promise<BackupBefore> {
  const reusable = await reusableBackup(context, database, beforeMigration, signal)
  if (reusable !== undefined) {
    return { manifest: reusable, isReused: true, storage: context.storages[0]?.name ?? '', warnings: [] }
  }
  const name = `before-${beforeMigration.pending[0] ?? ''}`
  const result = await backupDatabase(
    context,
    database.name,
    {
      tier: 'pre-migration',
      trigger: 'migration',
      ...(beforeMigration.pending.length > 0 && whyBadBackupName(name) === undefined ? { name } : {}),
      ...(actor === undefined ? {} : { actor }),
      image,
      beforeMigration,
    },
    signal,
  )
  await verifyAfterBackup(context, result, signal)
  const storage = result.storages.find(({ ok }) => ok)?.storage
  if (result.manifest === undefined || storage === undefined) {
    throw new BackupError('INTERNAL', `The backup before the migration ended as ${result.outcome}.`)
  }
  return { manifest: result.manifest, isReused: false, storage, warnings: result.warnings }
}

async function reusableBackup(
  { storages }: EngineContext,
  { name }: ResolvedDatabase,
  wanted: BeforeMigration,
  signal: AbortSignal,
): Promise<Manifest | undefined> {
  try {
    return await findReusable(storages, name, wanted, { signal })
  } catch (error) {
    // A storage that cannot be asked says so again when the backup is put there.
    if (!isBackupError(error) || error.code === 'ABORTED') throw error
    return undefined
  }
}
