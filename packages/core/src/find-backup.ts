import { parseBackupId } from './catalog/backup-id.ts'
import { type Answer, firstAnswering, type NamedStorage } from './catalog/first-answering.ts'
import { aheadInWords, compareStates } from './catalog/newest-states.ts'
import { type FoundBackup, resolveBackup } from './catalog/resolve-backup.ts'
import { databaseOf, type EngineContext } from './context.ts'
import type { FromOptions } from './engine-api.ts'
import { isBackupError, messageOf } from './errors.ts'
import { throwIfAborted } from './storage/abort.ts'
import type { Storage } from './storage/storage.ts'

/** The database a call is about. With a name it need not be configured: a storage may hold more than this machine has. */
export function databaseNameOf(context: EngineContext, name: string | undefined): string {
  return name ?? databaseOf(context, undefined).name
}

export interface ChosenBackup extends Answer<FoundBackup> {
  /** Why another one may have been meant. */
  readonly warnings: readonly string[]
}

/**
 * The backup that `latest`, an id, a name or a time means: the newest of what the storages say, and of the same one that
 * in the storage named first. A storage that cannot be asked does not hide what the others have; that it may have a newer
 * one is a warning.
 */
export async function findBackup(
  context: EngineContext,
  reference: string,
  { database, from }: FromOptions,
  signal: AbortSignal,
): Promise<ChosenBackup> {
  const name = databaseNameOf(context, database)
  const ask = (storage: Storage): Promise<FoundBackup> => resolveBackup(storage, name, reference, { signal })
  const asked = from === undefined && context.storages.length > 1 ? context.storages : []
  const answers = await Promise.allSettled(asked.map(async (each) => ({ ...each, value: await ask(each.storage) })))
  throwIfAborted(signal)
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  const [newest] = found.sort((a, b) => compareStates(a.value, b.value))
  // With one storage, or none that has it: its own words.
  if (newest === undefined) {
    const answer = await firstAnswering(context.storages, ask, { from })
    return { ...answer, warnings: aheadInWords(answer.value) }
  }
  // An id means one backup, wherever it was found.
  const warnings =
    parseBackupId(reference) === undefined ? answers.flatMap((answer, i) => silenceOf(asked[i], answer)) : []
  return { ...newest, warnings: [...aheadInWords(newest.value), ...warnings] }
}

/** That a storage has none is an answer; one whose newest cannot be read is as silent as one that cannot be reached. */
function silenceOf(from: NamedStorage | undefined, answer: PromiseSettledResult<unknown>): readonly string[] {
  if (from === undefined || answer.status === 'fulfilled' || isBackupError(answer.reason, 'BACKUP_NOT_FOUND')) return []
  const { reason } = answer
  const why = isBackupError(reason) ? reason.code : messageOf(reason)
  return [
    isBackupError(reason, 'MANIFEST_INVALID') || isBackupError(reason, 'OBJECT_MISSING')
      ? `The newest in ${from.name} could not be read (${why}), and may be newer than this one.`
      : `${from.name} did not answer (${why}) and may hold a newer one.`,
  ]
}
