import { backupDatabase } from '../backup/backup-database.ts'
import { parseBackupId } from '../catalog/backup-id.ts'
import type { ResolvedDatabase, ResolvedJob } from '../config/config.ts'
import { parseSchedule, type Schedule } from '../config/schedule-text.ts'
import { type EngineContext, runOf } from '../context.ts'
import { isBackupError, messageOf, serializeError } from '../errors.ts'
import type { Beats } from '../monitor/beats.ts'
import { openSpool } from '../spool/spool.ts'
import { madeForKey, readSpoolState, type SpoolState } from '../spool/state.ts'
import { verifyAfterBackup } from '../verify/verify-after-backup.ts'
import { runSchedule } from './run-schedule.ts'
import { slotClaims } from './slot-claims.ts'
import type { Timer } from './timer.ts'

export interface StartSchedules {
  readonly context: EngineContext
  readonly database: ResolvedDatabase
  readonly timer: Timer
  readonly random: () => number
  /** Names of jobs; absent: all. */
  readonly jobs?: readonly string[]
  readonly beats: Beats
  /** Ends the waiting. */
  readonly signal: AbortSignal
  /** Runs something within the life of the engine. */
  readonly run: (task: (signal: AbortSignal) => Promise<unknown>) => Promise<unknown>
  /** Beside the backups: each has its schedule and a name of its own. */
  readonly chores: readonly Chore[]
}

/** Something daily that is no backup. */
export interface Chore {
  readonly name: 'prune' | 'verify'
  readonly schedule: Schedule
  /** It throws when it has to be tried again, and has told why. */
  readonly run: (database: string, signal: AbortSignal) => Promise<void>
}

/** When chores without a schedule of their own are done. */
export const daily: Schedule = parseSchedule('every 1d')

// Not urgent, and a whole download for some: spread wide.
const CHORE_JITTER_MS = 30 * 60_000

/** Runs the schedules of one database, one run at a time, until the signal fires. */
export async function startSchedules(options: StartSchedules): Promise<void> {
  const { context, database, timer, random, signal, chores } = options
  const { bus, config, storages } = context
  if (storages.length === 0) return
  const spoolDir = await openWhenPossible(options)
  if (spoolDir === undefined) return
  const state = await readSpoolState(spoolDir)
  const oneByOne = createQueue()
  const jobs = config.jobs.filter(
    ({ name, databases }) =>
      databases.includes(database.name) && (options.jobs === undefined || options.jobs.includes(name)),
  )

  await Promise.all([
    ...jobs.map((job) =>
      runSchedule({
        schedule: job.schedule,
        // A job may be called like a chore.
        claims: slotClaims(spoolDir, `job-${job.name}`),
        timer,
        random,
        jitterMs: job.jitterMs,
        doneMs: doneMsOf(state, job, context, database.name),
        signal,
        run: () => oneByOne(() => options.run((runSignal) => runJob(options, job, runSignal))),
        onError: (error) => {
          bus.emit('backup.failed', { ...runOf(context, database.name)(), error: serializeError(error) })
          logFailure(options, job, error)
        },
      }),
    ),
    ...chores.map((chore) =>
      runSchedule({
        schedule: chore.schedule,
        claims: slotClaims(spoolDir, chore.name),
        timer,
        random,
        jitterMs: CHORE_JITTER_MS,
        signal,
        run: () => oneByOne(() => options.run((runSignal) => chore.run(database.name, runSignal))),
        onError: (error) => config.log?.error({ database: database.name }, `${chore.name}: ${messageOf(error)}`),
      }),
    ),
  ])
}

const PAUSE_AFTER_ERROR_MS = 5 * 60_000

/** A disk that is full or read-only now may be another one later. Undefined when the signal came first. */
async function openWhenPossible({ context, database, timer, signal }: StartSchedules): Promise<string | undefined> {
  const { bus, config } = context
  const { name } = database
  while (!signal.aborted) {
    try {
      return await openSpool(database)
    } catch (error) {
      bus.emit('backup.failed', { ...runOf(context, name)(), error: serializeError(error) })
      config.log?.error({ database: name }, `The schedules of ${name} cannot start: ${messageOf(error)}`)
    }
    try {
      await timer.sleepUntil(timer.now() + PAUSE_AFTER_ERROR_MS, signal)
    } catch (error) {
      if (!isBackupError(error, 'ABORTED')) throw error
    }
  }
  return undefined
}

/** When all storages of a job were last given a backup. A spool that never made one was restored: its parent counts. */
function doneMsOf(
  { parent, madeFor = {} }: SpoolState,
  { to }: ResolvedJob,
  { storages }: EngineContext,
  database: string,
): number | undefined {
  const wanted = storages.filter(({ name }) => to === undefined || to.includes(name))
  const isFresh = Object.keys(madeFor).length === 0
  const times = (isFresh ? [parent] : wanted.map((each) => madeFor[madeForKey(database, each)]?.id)).map((id) =>
    id === undefined ? undefined : parseBackupId(id)?.second.getTime(),
  )
  const known = times.filter((ms) => ms !== undefined)
  return known.length < times.length ? undefined : Math.min(...known)
}

async function runJob(options: StartSchedules, job: ResolvedJob, signal: AbortSignal): Promise<void> {
  const { context, database, beats } = options
  const { name, to, require, ifChanged } = job
  try {
    const result = await backupDatabase(
      context,
      database.name,
      { tier: 'scheduled', trigger: 'schedule', job: name, ifChanged, require, ...(to === undefined ? {} : { to }) },
      signal,
    )
    await verifyAfterBackup(context, result, signal)
    if (result.outcome === 'unchanged') {
      const holders = result.storages.filter(({ ok }) => ok).map(({ storage }) => storage)
      await beats.unchanged(database, result.id, holders, signal)
    }
  } catch (error) {
    logFailure(options, job, error)
    if (!signal.aborted) await beats.alive(database, signal)
    throw error
  }
}

/** Nobody waits for a scheduled backup, and there may be no listener: the log must say that it failed. */
function logFailure({ context: { config }, database }: StartSchedules, job: ResolvedJob, error: unknown): void {
  if (isBackupError(error, 'ABORTED')) return
  // An app that makes its database with the first request is not broken.
  const isEarly = isBackupError(error, 'DATABASE_MISSING') || isBackupError(error, 'DATABASE_EMPTY')
  config.log?.[isEarly ? 'warn' : 'error'](
    { database: database.name, job: job.name },
    `The backup of ${database.name} failed (job ${job.name}): ${messageOf(error)}`,
  )
}

/** Tasks of one database wait for one another: two backups at once would only fight for its lock. */
function createQueue(): (task: () => Promise<unknown>) => Promise<void> {
  let last: Promise<unknown> = Promise.resolve()
  return async (task) => {
    const mine = last.then(task)
    last = mine.catch(() => {}) // Told by whoever waits for that task.
    await mine
  }
}
