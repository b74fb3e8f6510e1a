import { storePending } from '../backup/store-pending.ts'
import type { NamedStorage } from '../catalog/first-answering.ts'
import type { ResolvedDatabase } from '../config/config.ts'
import { type EngineContext, runOf } from '../context.ts'
import { messageOf, serializeError } from '../errors.ts'
import { openSpool } from '../spool/spool.ts'
import { readStanding, type StandingReport } from './read-standing.ts'

/**
 * What a start looks at while the app is already at work: whether a storage has something newer than the database that is
 * here, and whether it can be reached at all. It only tells; nothing is changed.
 */
export async function lookAround(
  context: EngineContext,
  database: ResolvedDatabase,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(context.storages.map((storage) => lookAt(context, database, storage, signal)))
}

async function lookAt(
  context: EngineContext,
  database: ResolvedDatabase,
  storage: NamedStorage,
  signal: AbortSignal,
): Promise<void> {
  const { bus, config } = context
  const event = runOf(context, database.name)
  try {
    const report = await readStanding(context, database, storage, signal)
    const { standing, newest } = report
    if (newest === undefined || standing === 'current') return
    const name = standing === 'diverged' ? 'lineage.forked' : 'lineage.behind'
    bus.emit(name, { ...event(), storage: storage.name, tips: [newest.id] })
    config.log?.warn({ database: database.name, storage: storage.name }, inWords(database.name, report))
  } catch (error) {
    if (signal.aborted) return
    bus.emit('storage.failed', {
      ...event(),
      storage: storage.name,
      operation: 'look for something newer',
      error: serializeError(error),
    })
    config.log?.warn(
      { database: database.name, storage: storage.name },
      `${storage.name} cannot be reached: ${messageOf(error)} The app runs; nothing can be stored there now.`,
    )
  }
}

/** What a person should know about a database that is not the newest state. */
export function inWords(database: string, { standing, newest, storage }: StandingReport): string {
  const what = `${storage.name} holds ${newest?.id} of ${newest?.created}`
  if (standing === 'behind') {
    return `${database} is behind: ${what}, which builds on what is here. restore: 'if-behind' would have brought it back.`
  }
  if (standing === 'diverged') {
    return `${database} has forked: ${what}, which the database here does not build on. Both are kept; neither is preferred.`
  }
  return `${what}. Whether the database here is older or newer is not known: its spool does not say what it grew from.`
}

/** Stores what the last stop had no time for. */
export async function storeLeftBehind(
  context: EngineContext,
  database: ResolvedDatabase,
  signal: AbortSignal,
): Promise<void> {
  const { bus, config, storages } = context
  const event = runOf(context, database.name)
  try {
    const stored = await storePending(await openSpool(database), {
      storages,
      signal,
      onFailure: (storage, error) =>
        bus.emit('storage.failed', { ...event(), storage, operation: 'backup', error: serializeError(error) }),
    })
    for (const id of stored) {
      config.log?.info({ database: database.name, id }, `${id} was kept in the spool and is stored now.`)
    }
  } catch (error) {
    if (signal.aborted) return
    config.log?.warn({ database: database.name }, `What waits in the spool could not be stored: ${messageOf(error)}`)
  }
}
