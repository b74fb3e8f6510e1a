import { catalogKey, parseCatalogKey } from '../catalog/keys.ts'
import type { EngineContext } from '../context.ts'
import type { BackupResult } from '../engine-api.ts'
import { BackupError } from '../errors.ts'
import { verifyFound } from './verify-reference.ts'

/**
 * Takes a backup that was just made to the level `verify.afterBackup` asks for, in every storage that has it.
 * (That the storage has it, at its size, was asked before the manifest was written.)
 * @throws BackupError `VERIFY_FAILED`
 */
export async function verifyAfterBackup(
  context: EngineContext,
  result: BackupResult,
  signal: AbortSignal,
): Promise<void> {
  const level = context.config.verify.afterBackup
  const { manifest } = result
  const entry = manifest === undefined ? undefined : parseCatalogKey(catalogKey(manifest))
  if (level === 'stored' || manifest === undefined || entry === undefined) return
  for (const { name, storage } of context.storages) {
    if (!result.storages.some((each) => each.storage === name && each.ok)) continue
    const { record } = await verifyFound(context, { name, storage, value: { entry, manifest } }, level, signal)
    if (record.outcome === 'ok') continue
    throw new BackupError(
      'VERIFY_FAILED',
      `Backup ${manifest.id} was stored in ${name}, but could not be ${level}: ${record.error?.message ?? record.messages?.join(' ')}`,
      {
        hint: 'It is kept and marked as bad. Look at the database itself (PRAGMA integrity_check) and at the storage.',
      },
    )
  }
}
