import { type Answer, firstAnswering } from './catalog/first-answering.ts'
import { type FoundBackup, resolveBackup } from './catalog/resolve-backup.ts'
import { databaseOf, type EngineContext } from './context.ts'
import type { FromOptions } from './engine-api.ts'
import type { Storage } from './storage/storage.ts'

/** The database a call is about. With a name it need not be configured: a storage may hold more than this machine has. */
export function databaseNameOf(context: EngineContext, name: string | undefined): string {
  return name ?? databaseOf(context, undefined).name
}

/**
 * The backup that `latest`, an id, a name or a time means: the newest of what the storages say, and of the same one that
 * in the storage named first. A storage that cannot be asked does not hide what the others have.
 */
export async function findBackup(
  context: EngineContext,
  reference: string,
  { database, from }: FromOptions,
  signal: AbortSignal,
): Promise<Answer<FoundBackup>> {
  const name = databaseNameOf(context, database)
  const ask = (storage: Storage): Promise<FoundBackup> => resolveBackup(storage, name, reference, { signal })
  const asked = from === undefined && context.storages.length > 1 ? context.storages : []
  const answers = await Promise.allSettled(asked.map(async (each) => ({ ...each, value: await ask(each.storage) })))
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
  const [newest] = found.sort((a, b) => b.value.entry.created.getTime() - a.value.entry.created.getTime())
  // With one storage, or none that has it: its own words.
  return newest ?? firstAnswering(context.storages, ask, { from })
}
