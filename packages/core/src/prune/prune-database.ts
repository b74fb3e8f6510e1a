import { listPending } from '../backup/pending.ts'
import type { EngineContext } from '../context.ts'
import type { PruneOptions, PruneResult } from '../engine-api.ts'
import { BackupError } from '../errors.ts'
import { databaseNameOf } from '../find-backup.ts'
import { openSpool } from '../spool/spool.ts'
import { pruneStorage } from './prune-storage.ts'

/** Plans and prunes every storage of a database, each by itself. One that fails does not stop the others. */
export async function pruneDatabase(
  context: EngineContext,
  name: string | undefined,
  options: PruneOptions,
  signal: AbortSignal,
): Promise<PruneResult> {
  const database = databaseNameOf(context, name)
  const storages = context.storages.filter(({ name: each }) => options.from === undefined || each === options.from)
  if (storages.length === 0) {
    throw new BackupError(
      'USAGE',
      options.from === undefined
        ? 'No storage is configured.'
        : `There is no storage "${options.from}" in the configuration.`,
    )
  }
  const pending = await pendingIds(context, database)
  const pruned: PruneResult['storages'][number][] = []
  for (const storage of storages)
    pruned.push(await pruneStorage(context, { database, storage, pending, options }, signal))
  return { database, storages: pruned }
}

/** What waits in the spool may be half in a storage already. */
async function pendingIds({ config }: EngineContext, database: string): Promise<ReadonlySet<string>> {
  const configured = config.databases.find(({ name }) => name === database)
  if (configured === undefined) return new Set()
  return new Set((await listPending(await openSpool(configured))).map(({ manifest }) => manifest.id))
}
