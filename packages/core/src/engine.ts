import { backupDatabase, pick } from './backup/backup-database.ts'
import { createCaptureClient } from './capture/client.ts'
import { firstAnswering, type NamedStorage } from './catalog/first-answering.ts'
import { listBackupPage } from './catalog/list-backups.ts'
import { listDatabases } from './catalog/list-databases.ts'
import { readLineage } from './catalog/read-lineage.ts'
import { listRecords, listRecordsOf, readRecords } from './catalog/records.ts'
import { summarizeRecords } from './catalog/summarize-records.ts'
import type { Config, ResolvedConfig, ResolvedStorage } from './config/config.ts'
import { resolveConfig } from './config/resolve-config.ts'
import { databaseOf, type EngineContext } from './context.ts'
import { examine } from './doctor.ts'
import type { BackupList, CloseOptions, ListBackupsOptions, SqliteBackup } from './engine-api.ts'
import { BackupError, messageOf } from './errors.ts'
import { createEventBus, type EventBus, type Logger } from './events.ts'
import { findBackup } from './find-backup.ts'
import { guardMigration } from './guard/guard-migration.ts'
import { createInUse } from './in-use.ts'
import { createHeartbeat } from './notify/heartbeat.ts'
import { deleteBackup, planDelete } from './prune/delete-backup.ts'
import { keepBackup, unkeepBackup } from './prune/keep-backup.ts'
import { pruneDatabase } from './prune/prune-database.ts'
import { compareBackup } from './restore/compare-backup.ts'
import { planRestoreOf, restoreReference } from './restore/restore-reference.ts'
import { createSchedules } from './schedule/create-schedules.ts'
import { systemTimer, type Timer } from './schedule/timer.ts'
import { shareEngine } from './shared-engine.ts'
import { lookAround, storeLeftBehind } from './start/look-around.ts'
import { startDatabases } from './start/start-databases.ts'
import { readStatus } from './status.ts'
import { backupBeforeStop } from './stop/backup-before-stop.ts'
import { LONGEST_MS, within } from './stop/within.ts'
import { withRetry } from './storage/with-retry.ts'
import { summaryOf } from './summary-of.ts'
import { verifyAfterBackup } from './verify/verify-after-backup.ts'
import { verifyAll, verifyReference } from './verify/verify-reference.ts'
import { createWorkClient } from './work/client.ts'

/**
 * Opens the engine of a configuration. Nothing is read or written until it is asked to.
 *
 * @example
 * const backup = await openBackup({
 *   databases: { app: './data/app.db' },
 *   storages: { disk: filesystem({ dir: '/mnt/backups' }) },
 * })
 * await backup.restoreIfMissing()
 * await backup.backup('app')
 *
 * @throws BackupError `CONFIG_INVALID`
 */
export async function openBackup(config?: Config, options: OpenOptions = {}): Promise<SqliteBackup> {
  const found = await resolveConfig({ config })
  const log = found.log ?? options.log
  const resolved = log === undefined ? found : { ...found, log }
  if (resolved.profile.name === 'default') {
    // What is wrong with one, its first call says.
    await Promise.allSettled(resolved.storages.map(({ storage }) => storage.prepare?.()))
  }
  return options.shared ? shareEngine(resolved, () => createEngine(resolved)) : createEngine(resolved)
}

export interface OpenOptions {
  /**
   * The engine of this process for these database files, if one is open already: for dev servers, which load your modules
   * again and again, and beside `@sqlite-backup/core/boot`. @default false
   */
  readonly shared?: boolean
  /** Where warnings go when the config names no logger, like one in a file: the app's own, or `stderrLogger()`. @default nowhere */
  readonly log?: Logger
}

export interface EngineOptions {
  /** The clock of schedules and of whatever has an age. @default the machine's */
  readonly timer?: Timer
  /** For jitter. @default Math.random */
  readonly random?: () => number
}

/** The engine of a configuration whose every value is decided: what the CLI uses. */
export function createEngine(
  config: ResolvedConfig,
  { timer = systemTimer, random = Math.random }: EngineOptions = {},
): SqliteBackup {
  const bus = createEventBus(config.log)
  const profile = config.profile.name
  const storeUntil = new AbortController()
  const context: EngineContext = {
    config,
    storages: config.storages.map(({ name, storage }) => ({ name, storage: retried(name, storage, bus) })),
    bus,
    capture: createCaptureClient({ profile }),
    work: createWorkClient({ profile }),
    now: () => new Date(timer.now()),
    storeUntil: storeUntil.signal,
    inUse: createInUse(),
  }
  const calls = createCalls()
  const schedules = createSchedules(context, { timer, random, run: (task) => calls.run(undefined, task) })
  const heartbeat =
    config.notify.heartbeat === undefined
      ? undefined
      : createHeartbeat(config.notify.heartbeat, { bus, ...pick(config, ['log']) })
  let restoring = 0
  const whileRestoring: Calls['run'] = async (signal, task) => {
    restoring++
    try {
      return await calls.run(signal, task)
    } finally {
      restoring--
    }
  }
  /** What is on the disk may not be what should be: it must not become the newest backup. */
  const unsure = new Set<string>()
  let hasStarted = false
  let called: Promise<void> | undefined
  let closed: Promise<void> | undefined

  const deadlineOf = (options: CloseOptions): number =>
    Math.min(options.deadlineMs ?? config.stop.deadline.ms, LONGEST_MS)
  const wantsLast = ({ backup = false }: CloseOptions): boolean =>
    backup !== false && config.stop.backup !== false && unsure.size === 0

  async function lastCall(options: CloseOptions): Promise<void> {
    schedules.end()
    if (!wantsLast(options)) return
    const deadlineMs = deadlineOf(options)
    const timer = setTimeout(() => storeUntil.abort(), deadlineMs * LEAVE_TO_LAST)
    await backupBeforeStop(context, deadlineMs)
    clearTimeout(timer)
    schedules.stayAwake()
  }

  async function close(options: CloseOptions): Promise<void> {
    const began = performance.now()
    const deadlineMs = deadlineOf(options)
    const left = (): number => deadlineMs - (performance.now() - began)
    calls.refuse()
    schedules.end()
    await called
    const isLastMade = wantsLast(options)
    // A run that has begun would take its body with it when it is aborted, and the last backup waits for its lock.
    const timer = setTimeout(() => storeUntil.abort(), deadlineMs * (isLastMade ? LEAVE_TO_LAST : LEAVE_IN_SPOOL))
    if (isLastMade) {
      await backupBeforeStop(context, called === undefined ? deadlineMs : Math.max(left(), LEAST_MS))
      // A storage that hangs may not listen to its signal either.
      await within(schedules.fallAsleep(AbortSignal.timeout(Math.max(0, Math.ceil(left())))), left())
    }
    await calls.finish(left())
    clearTimeout(timer)
    await heartbeat?.close(left())
    // Children leave by themselves once we are gone: nobody waits for one that is slow, nor for a storage.
    await within(Promise.all([context.capture.close(), ...config.storages.map(closeStorage)]), left())
  }

  async function closeStorage({ name, storage }: ResolvedStorage): Promise<void> {
    try {
      await storage.close?.()
    } catch (error) {
      config.log?.warn({ storage: name }, `${name} could not be closed: ${messageOf(error)}`)
    }
  }

  return {
    databases: config.databases.map(({ name }) => name),
    storages: config.storages.map(({ name }) => name),
    storage(name) {
      const found = context.storages.find((each) => each.name === name)
      if (found === undefined) throw new BackupError('USAGE', `There is no storage "${name}" in the configuration.`)
      return found.storage
    },
    stopDeadlineMs: deadlineOf({}),
    backup: (database, options = {}) =>
      calls.run(options.signal, async (signal) => {
        const result = await backupDatabase(context, database, options, signal)
        await verifyAfterBackup(context, result, signal)
        return result
      }),
    list: (database, options = {}) =>
      calls.run(options.signal, (signal) =>
        list(context, { ...options, ...(database === undefined ? {} : { database }) }, signal),
      ),
    listDatabases: (options = {}) =>
      calls.run(options.signal, async (signal) => {
        const { value } = await firstAnswering(
          context.storages,
          (storage) => listDatabases(storage, { signal }),
          options,
        )
        return value
      }),
    show: (reference, options = {}) =>
      calls.run(options.signal, async (signal) => {
        const { name, storage, value } = await findBackup(context, reference, options, signal)
        const [records, entries] = await Promise.all([
          readRecords(storage, value.entry, { signal }),
          listRecords(storage, value.entry, { signal }),
        ])
        return { storage: name, manifest: value.manifest, records, kept: summarizeRecords(entries).isKept }
      }),
    planRestore: (reference, options = {}) =>
      calls.run(options.signal, (signal) => planRestoreOf(context, reference, options, signal)),
    compare: (reference, options = {}) =>
      calls.run(options.signal, (signal) => compareBackup(context, reference, options, signal)),
    get isRestoring() {
      return restoring > 0
    },
    restore: (reference, options = {}) =>
      whileRestoring(options.signal, (signal) => restoreReference(context, reference, options, signal)),
    restoreIfMissing: (options = {}) =>
      whileRestoring(options.signal, async (signal) => {
        const names = options.database === undefined ? config.databases.map(({ name }) => name) : [options.database]
        for (const name of names) unsure.add(name)
        const results = await startDatabases(context, options, signal)
        for (const name of names) unsure.delete(name)
        return results
      }),
    verify: (reference, options = {}) =>
      calls.run(options.signal, (signal) => verifyReference(context, reference, options, signal)),
    verifyAll: (options = {}) => calls.run(options.signal, (signal) => verifyAll(context, options, signal)),
    guard: (database, migrate, options = {}) =>
      calls.run(options.signal, (signal) => guardMigration(context, database, migrate, options, signal)),
    status: (options = {}) =>
      calls.run(options.signal, (signal) => readStatus(context, { ...options, signal, now: context.now() })),
    doctor: (options = {}) => calls.run(options.signal, (signal) => examine(context, signal)),
    prune: (database, options = {}) =>
      calls.run(options.signal, (signal) => pruneDatabase(context, database, options, signal)),
    keep: (reference, options = {}) =>
      calls.run(options.signal, (signal) => keepBackup(context, reference, options, signal)),
    unkeep: (reference, options = {}) =>
      calls.run(options.signal, (signal) => unkeepBackup(context, reference, options, signal)),
    planDelete: (reference, options = {}) =>
      calls.run(options.signal, (signal) => planDelete(context, reference, options, signal)),
    delete: (reference, options = {}) =>
      calls.run(options.signal, (signal) => deleteBackup(context, reference, options, signal)),
    async start(options = {}) {
      if (closed !== undefined) {
        // A stop that came first must not be cut short by an app that fails here.
        await closed
        throw closedError()
      }
      if (unsure.size > 0) throw new BackupError('USAGE', 'The restore did not end well, so no schedule may start.')
      if (hasStarted || !config.enabled) return
      hasStarted = true
      // What goes on beside the app; a close ends it.
      for (const database of config.databases) {
        void calls.run(undefined, async (signal) => {
          await storeLeftBehind(context, database, signal)
          await lookAround(context, database, signal)
        })
      }
      schedules.start(options)
    },
    async stop() {
      schedules.end()
      await schedules.settled()
    },
    on: bus.on,
    onAny: bus.onAny,
    close(options = {}) {
      if (options.lastCall && closed === undefined) {
        called ??= lastCall(options)
        return called
      }
      closed ??= close(options)
      return closed
    },
    async [Symbol.asyncDispose]() {
      await this.close()
    },
  }
}

async function list(context: EngineContext, options: ListBackupsOptions, signal: AbortSignal): Promise<BackupList> {
  const database = options.database ?? databaseOf(context, undefined).name
  const { name, value } = await firstAnswering(
    context.storages,
    async (storage) => {
      const page = await listBackupPage(storage, { ...options, database, signal })
      // A fork is a fact of the newest backups, so the first page tells it.
      const { forks = options.cursor === undefined } = options
      const records = options.marks ? await listRecordsOf(storage, page.items, { signal }) : undefined
      const fork = forks ? (await readLineage(storage, database, { signal })).rivals : []
      return { page, fork, records }
    },
    options,
  )
  const { page, fork, records } = value
  return {
    storage: name,
    database,
    items: page.items.map((entry) => summaryOf(entry, records && (records.get(entry.id) ?? []))),
    ...(page.cursor === undefined ? {} : { cursor: page.cursor }),
    ...(fork.length > 0 ? { fork } : {}),
  }
}

function retried(name: string, storage: NamedStorage['storage'], bus: EventBus): NamedStorage['storage'] {
  return withRetry(storage, {
    onRetry: ({ doing, attempt, error }) =>
      bus.emit('storage.retried', {
        at: new Date().toISOString(),
        storage: name,
        operation: doing,
        attempt,
        error: error.toJSON(),
      }),
  })
}

/** Parts of the time a stop has, after which runs that have begun leave in the spool what is not stored. */
const LEAVE_TO_LAST = 0.5
const LEAVE_IN_SPOOL = 0.8
/** What a last call has left of that time is enough to say what is not backed up. */
const LEAST_MS = 500

function closedError(): BackupError {
  return new BackupError('CLOSED', 'The engine is closed.')
}

interface Calls {
  run<T>(signal: AbortSignal | undefined, task: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** From now on no call is taken. */
  refuse(): void
  /** Waits for the calls that run, and aborts those that take longer. */
  finish(deadlineMs: number): Promise<void>
}

// What an aborted call has to tidy up. A storage that hangs may never listen.
const ABORT_GRACE_MS = 500

/** Every call of the engine passes here: refused after close, waited for by close, aborted when close cannot wait. */
function createCalls(): Calls {
  const closing = new AbortController()
  const running = new Set<Promise<unknown>>()
  let isClosed = false
  return {
    async run(signal, task) {
      if (isClosed) throw closedError()
      const work = task(signal === undefined ? closing.signal : AbortSignal.any([signal, closing.signal]))
      running.add(work)
      try {
        return await work
      } finally {
        running.delete(work)
      }
    },
    refuse() {
      isClosed = true
    },
    async finish(leftMs) {
      const deadlineMs = Math.max(0, leftMs)
      const timer = setTimeout(() => closing.abort(), deadlineMs)
      await within(Promise.allSettled([...running]), deadlineMs + ABORT_GRACE_MS)
      clearTimeout(timer)
    },
  }
}
