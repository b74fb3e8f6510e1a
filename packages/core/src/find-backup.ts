import { type Answer, firstAnswering } from './catalog/first-answering.ts'
import { type FoundBackup, resolveBackup } from './catalog/resolve-backup.ts'
import { databaseOf, type EngineContext } from './context.ts'
import type { FromOptions } from './engine-api.ts'

/** The database a call is about. With a name it need not be configured: a storage may hold more than this machine has. */
export function databaseNameOf(context: EngineContext, name: string | undefined): string {
  return name ?? databaseOf(context, undefined).name
}

/** The backup that `latest`, an id, a name or a time means, in the first storage that has it. */
export async function findBackup(
  context: EngineContext,
  reference: string,
  { database, from }: FromOptions,
  signal: AbortSignal,
): Promise<Answer<FoundBackup>> {
  const name = databaseNameOf(context, database)
  return firstAnswering(context.storages, (storage) => resolveBackup(storage, name, reference, { signal }), { from })
}
