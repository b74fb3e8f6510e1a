import { randomBytes } from 'node:crypto'
import type { NamedStorage } from '../catalog/first-answering.ts'
import type { ResolvedDatabase } from '../config/config.ts'
import type { EngineContext } from '../context.ts'
import { messageOf } from '../errors.ts'
import { openSpool } from '../spool/spool.ts'
import { ensureSpoolState } from '../spool/state.ts'
import { type Beat, putBeat, removeOldBeats } from './beat.ts'

/** The signs of life of one engine whose schedules run. None of them ever fails a run: what goes wrong is logged. */
export interface Beats {
  awake(database: ResolvedDatabase, signal: AbortSignal): Promise<void>
  /** A run failed: whoever went to sleep beside this engine, this one has not. */
  alive(database: ResolvedDatabase, signal: AbortSignal): Promise<void>
  /** Nothing has changed since the backup with this id: said at most once an hour. */
  unchanged(
    database: ResolvedDatabase,
    backup: string,
    to: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<void>
  /** Nothing will change any more: the newest backup is what the database is. */
  asleep(
    database: ResolvedDatabase,
    backup: string,
    to: readonly string[] | undefined,
    signal: AbortSignal,
  ): Promise<void>
}

const HOUR_MS = 3_600_000

export function createBeats(context: EngineContext): Beats {
  const { config, storages, now } = context
  const instance = randomBytes(4).toString('hex')
  const since = now().toISOString()
  const unchangedMs = new Map<string, number>()
  const last = new Map<string, Pick<Beat, 'at' | 'state' | 'backup'>>()

  async function put(
    database: ResolvedDatabase,
    to: readonly string[] | undefined,
    factsFor: (storage: string) => Pick<Beat, 'at' | 'state' | 'backup' | 'alive'>,
    signal: AbortSignal,
  ): Promise<void> {
    const { writer } = await ensureSpoolState(await openSpool(database))
    const putOne = async ({ name, storage }: NamedStorage): Promise<void> => {
      const { alive, ...facts } = factsFor(name)
      last.set(`${database.name} ${name}`, facts)
      try {
        const beat = { writer, instance, since, ...facts, ...(alive === undefined ? {} : { alive }) }
        await putBeat(storage, database.name, beat, { signal })
        if (beat.state === 'awake') await removeOldBeats(storage, database.name, beat, { signal })
      } catch (error) {
        config.log?.warn({ database: database.name, storage: name }, `No sign of life is stored: ${messageOf(error)}`)
      }
    }
    await Promise.all(storages.filter(({ name }) => to === undefined || to.includes(name)).map(putOne))
  }

  const atNow = (): { readonly at: string } => ({ at: now().toISOString() })
  return {
    awake: (database, signal) => put(database, undefined, () => ({ ...atNow(), state: 'awake' }), signal),
    alive: (database, signal) =>
      put(
        database,
        undefined,
        (name) => {
          // What was seen at the last look stays known.
          const before = last.get(`${database.name} ${name}`) ?? { ...atNow(), state: 'awake' }
          return { ...before, alive: now().toISOString() }
        },
        signal,
      ),
    async unchanged(database, backup, to, signal) {
      // Each storage has a clock of its own: two jobs may go to different ones.
      const due = (to ?? storages.map(({ name }) => name)).filter((name) => {
        const before = unchangedMs.get(`${database.name} ${name}`)
        const nowMs = now().getTime()
        return before === undefined || nowMs - before >= HOUR_MS || nowMs < before
      })
      if (due.length === 0) return
      for (const name of due) unchangedMs.set(`${database.name} ${name}`, now().getTime())
      await put(database, due, () => ({ ...atNow(), state: 'unchanged', backup }), signal)
    },
    asleep: (database, backup, to, signal) =>
      put(database, to, () => ({ ...atNow(), state: 'asleep', backup }), signal),
  }
}
