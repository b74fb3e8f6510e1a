import type { EngineContext } from '../context.ts'
import { runOf } from '../context.ts'
import type { StartOptions } from '../engine-api.ts'
import { deserializeError, serializeError } from '../errors.ts'
import { createBeats } from '../monitor/beats.ts'
import { warningsOf } from '../monitor/warnings.ts'
import { pruneDatabase } from '../prune/prune-database.ts'
import { type Chore, daily, startSchedules } from './start-schedules.ts'
import type { Timer } from './timer.ts'
import { verifyNewest } from './verify-newest.ts'

/** The schedules of one engine. */
export interface Schedules {
  /** Starts them for all databases. `first` is done before, for each. */
  start(options: StartOptions): void
  /** Ends the waiting; runs that have begun go on. */
  end(): void
  /** Resolves when nothing of them runs any more. */
  settled(): Promise<void>
  /** The app writes on after its last backup: that one says nothing about its end. */
  stayAwake(): void
  /** After a clean stop: says that nothing will change where the last backup is. Only if they were started. */
  fallAsleep(signal: AbortSignal): Promise<void>
}

export interface CreateSchedules {
  readonly timer: Timer
  readonly random: () => number
  readonly run: (task: (signal: AbortSignal) => Promise<unknown>) => Promise<unknown>
}

export function createSchedules(context: EngineContext, { timer, random, run }: CreateSchedules): Schedules {
  const { config, bus } = context
  const ending = new AbortController()
  const running: Promise<void>[] = []
  const beats = createBeats(context)
  /** The last backups that a stop made, or found to be up to date. */
  const last = new Map<string, { readonly id: string; readonly storages: readonly string[] }>()
  let isStarted = false

  bus.on('backup.succeeded', ({ database, id, trigger, storages }) => {
    if (trigger === 'shutdown') last.set(database, { id, storages })
  })
  bus.on('backup.unchanged', ({ database, id, trigger, storages }) => {
    if (trigger === 'shutdown') last.set(database, { id, storages })
  })

  return {
    start({ jobs }) {
      isStarted = true
      for (const warning of warningsOf(config)) config.log?.warn({}, warning)
      for (const database of config.databases) {
        const started = startSchedules({
          context,
          database,
          timer,
          random,
          beats,
          run,
          signal: ending.signal,
          chores: choresOf(context),
          ...(jobs === undefined ? {} : { jobs }),
        })
        running.push(
          started.catch((error: unknown) =>
            bus.emit('backup.failed', { ...runOf(context, database.name)(), error: serializeError(error) }),
          ),
        )
        void run((signal) => beats.awake(database, signal)).catch(() => {}) // Its failures are logged; it may be closed.
      }
    },
    end: () => ending.abort(),
    async settled() {
      await Promise.all(running)
    },
    stayAwake: () => last.clear(),
    async fallAsleep(signal) {
      if (!isStarted) return
      await Promise.all(
        config.databases.map(async (database) => {
          const found = last.get(database.name)
          if (found !== undefined) await beats.asleep(database, found.id, found.storages, signal)
        }),
      )
    },
  }
}

function choresOf(context: EngineContext): readonly Chore[] {
  const { verify, retention } = context.config
  const { schedule } = verify
  return [
    ...(schedule === undefined
      ? []
      : [
          {
            name: 'verify',
            schedule,
            run: (database, signal) => verifyNewest(context, database, schedule, signal),
          } satisfies Chore,
        ]),
    ...(retention === undefined
      ? []
      : [
          {
            name: 'prune',
            schedule: daily,
            run: (database, signal) => pruneDaily(context, database, signal),
          } satisfies Chore,
        ]),
  ]
}

async function pruneDaily(context: EngineContext, database: string, signal: AbortSignal): Promise<void> {
  const { storages } = await pruneDatabase(context, database, {}, signal)
  const failed = storages.find(({ error }) => error !== undefined)
  // Told by its event already; thrown so that it is tried again.
  if (failed?.error !== undefined) throw deserializeError(failed.error)
}
