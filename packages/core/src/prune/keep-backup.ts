import { findById } from '../catalog/find-by-id.ts'
import type { BackupEntry } from '../catalog/keys.ts'
import { deleteKeepMarker, deleteTipMarker, putKeepMarker } from '../catalog/records.ts'
import type { EngineContext } from '../context.ts'
import type { FromOptions, KeepOptions, KeepResult, StorageOutcome } from '../engine-api.ts'
import { isBackupError, serializeError } from '../errors.ts'
import { findBackup } from '../find-backup.ts'
import type { Storage } from '../storage/storage.ts'

/** Exempts a backup from pruning in every storage that has it, or only in `from`. */
export async function keepBackup(
  context: EngineContext,
  reference: string,
  options: KeepOptions,
  signal: AbortSignal,
): Promise<KeepResult> {
  const { actor, reason } = options
  const marker = {
    at: context.now().toISOString(),
    ...(actor === undefined ? {} : { actor }),
    ...(reason === undefined ? {} : { reason }),
  }
  return wherever(context, reference, options, signal, (storage, entry) =>
    putKeepMarker(storage, entry, marker, { signal }),
  )
}

/** Gives a backup back to the policy; also one that only stays because it is the end of a branch. */
export async function unkeepBackup(
  context: EngineContext,
  reference: string,
  options: FromOptions,
  signal: AbortSignal,
): Promise<KeepResult> {
  return wherever(context, reference, options, signal, async (storage, entry) => {
    await deleteKeepMarker(storage, entry, { signal })
    await deleteTipMarker(storage, entry, { signal })
  })
}

async function wherever(
  context: EngineContext,
  reference: string,
  options: FromOptions,
  signal: AbortSignal,
  act: (storage: Storage, entry: BackupEntry) => Promise<void>,
): Promise<KeepResult> {
  const { id, database } = (await findBackup(context, reference, options, signal)).value.manifest
  const asked = context.storages.filter(({ name }) => options.from === undefined || name === options.from)
  const outcomes = await Promise.all(
    asked.map(async ({ name, storage }): Promise<StorageOutcome | undefined> => {
      try {
        const entry = await findById(storage, database, id, { signal })
        if (entry === undefined) return undefined
        await act(storage, entry)
        return { storage: name, ok: true }
      } catch (error) {
        if (isBackupError(error, 'ABORTED')) throw error
        return { storage: name, ok: false, error: serializeError(error) }
      }
    }),
  )
  return { id, storages: outcomes.filter((outcome) => outcome !== undefined) }
}
