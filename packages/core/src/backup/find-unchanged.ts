import { findById } from '../catalog/find-by-id.ts'
import type { NamedStorage } from '../catalog/first-answering.ts'
import { listRecords } from '../catalog/records.ts'
import { summarizeRecords } from '../catalog/summarize-records.ts'
import type { StorageOutcome } from '../engine-api.ts'
import { BackupError, isBackupError, serializeError } from '../errors.ts'
import { madeForKey, type SpoolState, writeSpoolState } from '../spool/state.ts'
import { orAborted, throwIfAborted } from '../storage/abort.ts'
import { listPending } from './pending.ts'
import type { RunBackup } from './run-backup.ts'
import { storePending } from './store-pending.ts'

export interface UnchangedBackup {
  readonly id: string
  /** One for each storage; not ok where it still waits to be stored, or where nobody could be asked. */
  readonly storages: readonly StorageOutcome[]
}

type Asked = Pick<RunBackup, 'database' | 'spoolDir' | 'storages' | 'signal' | 'storeUntil' | 'onEvent'>

/**
 * The one backup of the database as it is now that all storages should hold, and whether each does: the spool only knows
 * what was made, the storage has the last word. What waits for one of them gets another chance to reach it.
 * Undefined when a new backup is needed: none was made for all of them, or one of them lacks it or has it marked as bad.
 * The caller holds the lock.
 */
export async function findUnchanged(
  run: Asked,
  state: SpoolState,
  fingerprint: string,
): Promise<UnchangedBackup | undefined> {
  const { spoolDir, storages, signal, storeUntil } = run
  const ids = new Set(storages.map((each) => madeWith(fingerprint, state, madeForKey(run.database, each))))
  const [id] = ids
  if (id === undefined || ids.size !== 1) return undefined
  const fail = (storage: string, error: BackupError): StorageOutcome => {
    run.onEvent?.({ kind: 'storage-failed', storage, error })
    return { storage, ok: false, error: serializeError(error) }
  }

  const failures = new Map<string, BackupError>()
  const inTime = AbortSignal.any([signal, storeUntil].filter((each) => each !== undefined))
  if ((await waitsFor(spoolDir, id)).some((name) => storages.some((each) => each.name === name))) {
    try {
      const onFailure = (name: string, error: BackupError): void => void failures.set(name, error)
      await orAborted(storePending(spoolDir, { storages, signal: inTime, onFailure }), inTime)
    } catch (error) {
      throwIfAborted(signal)
      // What is not stored when the time is up goes on waiting.
      if (!storeUntil?.aborted) throw error
    }
  }
  const waiting = await waitsFor(spoolDir, id)
  const outcomes = await Promise.all(
    storages.map(async (each): Promise<StorageOutcome | undefined> => {
      const { name } = each
      if (waiting.includes(name)) return fail(name, failures.get(name) ?? stillWaits(id))
      try {
        // A storage that hangs may not listen to its signal.
        return (await orAborted(holdsGood(each, run.database, id, inTime), inTime))
          ? { storage: name, ok: true }
          : undefined
      } catch (error) {
        throwIfAborted(signal)
        if (storeUntil?.aborted) return fail(name, notAnswered(name, error))
        if (!isBackupError(error)) throw error
        // Whatever else keeps it from answering, storing a backup there tells it best.
        return error.code === 'UNAVAILABLE' ? fail(name, error) : undefined
      }
    }),
  )
  const known = outcomes.filter((outcome) => outcome !== undefined)
  if (known.length < outcomes.length) return undefined
  // Stored by a run that could only leave it in the spool: now it is what the database grew from.
  if (state.fingerprint !== fingerprint && known.some(({ ok }) => ok)) {
    await writeSpoolState(spoolDir, { ...state, parent: id, fingerprint })
  }
  return { id, storages: known }
}

function madeWith(fingerprint: string, state: SpoolState, key: string): string | undefined {
  const made = state.madeFor?.[key]
  if (made?.fingerprint === fingerprint) return made.id
  // What was restored, or was backed up elsewhere, may be in this storage too.
  return state.fingerprint === fingerprint ? state.parent : undefined
}

async function waitsFor(spoolDir: string, id: string): Promise<readonly string[]> {
  return (await listPending(spoolDir)).find(({ manifest }) => manifest.id === id)?.storages ?? []
}

/** Two LISTs. */
async function holdsGood(
  { storage }: NamedStorage,
  database: string,
  id: string,
  signal: AbortSignal,
): Promise<boolean> {
  const entry = await findById(storage, database, id, { signal })
  return entry !== undefined && !summarizeRecords(await listRecords(storage, entry, { signal })).isBad
}

function stillWaits(id: string): BackupError {
  return new BackupError('UNAVAILABLE', `${id} waits in the spool.`, {
    hint: 'It waits in the spool and goes up with the next run.',
  })
}

function notAnswered(storage: string, cause: unknown): BackupError {
  return new BackupError('UNAVAILABLE', `${storage} had not said whether it has the backup when the time was up.`, {
    cause,
  })
}
