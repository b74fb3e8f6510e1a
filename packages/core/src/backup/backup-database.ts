import { chooseTier } from '../catalog/choose-tier.ts'
import { findNewest } from '../catalog/find-newest.ts'
import type { NamedStorage } from '../catalog/first-answering.ts'
import type { Lineage, Tier } from '../catalog/manifest.ts'
import { markTip } from '../catalog/mark-tips.ts'
import { assertBackupName } from '../catalog/names.ts'
import { listRecords } from '../catalog/records.ts'
import { summarizeRecords } from '../catalog/summarize-records.ts'
import type { ResolvedDatabase } from '../config/config.ts'
import { revealEncryption } from '../config/reveal.ts'
import { databaseOf, type EngineContext, reserveBytesOf, runOf } from '../context.ts'
import type { BackupOptions, BackupResult, StorageOutcome } from '../engine-api.ts'
import { engineFacts } from '../engine-facts.ts'
import { BackupError, isBackupError, messageOf, serializeError } from '../errors.ts'
import { throttled } from '../progress.ts'
import { formatSize } from '../spool/space.ts'
import { openSpool } from '../spool/spool.ts'
import { readSpoolState } from '../spool/state.ts'
import { checkLineage } from './check-lineage.ts'
import { type RunBackup, type RunBackupEvent, requireDatabase, requireFile, runBackup } from './run-backup.ts'
import { storeLeftCopies } from './store-left-copies.ts'
import { storePending } from './store-pending.ts'

const DEFAULT_LOCK_WAIT_MS = 60_000

export interface LastBackupOptions extends BackupOptions {
  /** For a backup that has to be over soon: nothing waits for a storage, and what is not stored by then stays in the spool. */
  readonly storeUntil?: AbortSignal
}

/** What only the engine itself asks for. */
export type InnerBackupOptions = LastBackupOptions & Pick<RunBackup, 'image' | 'beforeMigration'>

/** One backup of one configured database into the configured storages, with its events. */
export async function backupDatabase(
  context: EngineContext,
  name: string | undefined,
  options: InnerBackupOptions,
  signal: AbortSignal,
): Promise<BackupResult> {
  const { bus, config } = context
  const database = databaseOf(context, name)
  if (!config.enabled) return { ...nothingDone, outcome: 'off', warnings: ['SQLITE_BACKUP=off: nothing is backed up.'] }
  const storages = chosenStorages(context.storages, options.to)
  if (options.name !== undefined) assertBackupName(options.name)
  const event = runOf(context, database.name)
  const trigger = options.trigger ?? 'manual'
  const tier = options.tier ?? 'manual'
  const report = throttled((progress: Extract<RunBackupEvent, { kind: 'capturing' | 'uploading' }>) => {
    const { kind, doneBytes, totalBytes } = progress
    const where = kind === 'uploading' ? { storage: progress.storage } : {}
    bus.emit('backup.progress', {
      ...event(),
      phase: kind === 'capturing' ? 'capture' : 'upload',
      ...where,
      doneBytes,
      totalBytes,
    })
  })

  if (options.dryRun) return planBackup(context, database, storages, signal)
  bus.emit('backup.started', { ...event(), trigger, tier })
  try {
    await requireFile(database.path)
    const spoolDir = await openSpool(database)
    const { storeUntil } = options
    // Asking the storages takes as long as they take: when there is little time, the pages are read meanwhile.
    const checks = storeUntil === undefined ? undefined : checkAll(spoolDir)
    if (checks === undefined) await Promise.all((await checkAll(spoolDir)).values())
    const run: RunBackup = {
      database: database.name,
      path: database.path,
      spoolDir,
      storages,
      tier: tier === 'scheduled' ? (at) => scheduledTier(storages, database.name, at, signal) : tier,
      trigger,
      ...pick(options, ['name', 'actor', 'job', 'image', 'beforeMigration']),
      ...(await settingsOf(context, spoolDir)),
      ...pick(options, ['require']),
      lockWaitMs: options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS,
      ifChanged: options.ifChanged ?? false,
      signal,
      storeUntil: storeUntil ?? context.storeUntil,
      ...(checks === undefined ? {} : { mayStore: async ({ name }) => (await checks).get(name) }),
      onEvent: (progress) => {
        if (progress.kind === 'kept') {
          bus.emit('backup.kept', { ...event(), id: progress.id, storages: progress.storages })
          return
        }
        if (progress.kind !== 'storage-failed')
          return report(progress.kind === 'uploading' ? progress.storage : '', progress)
        const error = serializeError(progress.error)
        bus.emit('storage.failed', { ...event(), storage: progress.storage, operation: 'backup', error })
      },
    }
    const result = await runBackup(run, context.capture)
    if (result.outcome === 'unchanged') {
      bus.emit('backup.unchanged', { ...event(), id: result.id, trigger, storages: holders(result) })
    }
    if (result.manifest !== undefined) {
      const { id, plain, stored } = result.manifest
      bus.emit('backup.succeeded', {
        ...event(),
        id,
        tier: result.manifest.tier,
        trigger,
        storages: holders(result),
        plainSizeBytes: plain.sizeBytes,
        storedSizeBytes: stored.sizeBytes,
        durationMs: result.durationMs,
      })
    }
    // What an earlier run could not bring away gets another chance now that storages answer.
    return storeUntil === undefined && !context.storeUntil.aborted
      ? { ...result, warnings: [...result.warnings, ...(await bringAway(spoolDir))] }
      : result
  } catch (error) {
    bus.emit('backup.failed', { ...event(), error: serializeError(error) })
    throw error
  }

  /** The backup is made: whatever goes wrong here does not undo that. */
  async function bringAway(spoolDir: string): Promise<readonly string[]> {
    try {
      await storePending(spoolDir, { storages: context.storages, signal })
      return await storeLeftCopies(context, { database: database.name, spoolDir }, signal)
    } catch (error) {
      return [`What waits in the spool could not be stored: ${messageOf(error)}`]
    }
  }

  /** Looks in every storage who wrote there last; each rejects where this engine must not write. */
  async function checkAll(spoolDir: string): Promise<ReadonlyMap<string, Promise<void>>> {
    const { writer, parent } = await readSpoolState(spoolDir)
    const mine = { writer, ...pick({ parent, environment: config.environment }, ['parent', 'environment']) }
    const checks = new Map(storages.map((each) => [each.name, warnOfForks(each, mine)]))
    for (const check of checks.values()) check.catch(() => {}) // Awaited by those who are about to write.
    return checks
  }

  async function warnOfForks(storage: NamedStorage, mine: Lineage): Promise<void> {
    try {
      const tips = await checkLineage(storage, database.name, mine, { signal })
      if (tips === undefined) return
      bus.emit('lineage.forked', { ...event(), storage: storage.name, tips })
      // The end of the other branch: however old it gets, no prune takes it.
      if (tips[0] !== undefined) await markTip(storage.storage, database.name, tips[0], { now: context.now(), signal })
    } catch (error) {
      // A storage that cannot be asked will say so when the backup is put there.
      if (isBackupError(error, 'ENVIRONMENT_MISMATCH') || isBackupError(error, 'ABORTED')) throw error
    }
  }
}

function holders({ storages }: BackupResult): readonly string[] {
  return storages.filter((each) => each.ok).map((each) => each.storage)
}

const nothingDone = { id: '', storages: [], durationMs: 0, pinnedMs: 0, blockedMs: 0, warnings: [] } as const

/** What a backup would read and where it would go. Asks each storage for its listing, and changes nothing. */
async function planBackup(
  { capture }: EngineContext,
  { name, path }: ResolvedDatabase,
  storages: readonly NamedStorage[],
  signal: AbortSignal,
): Promise<BackupResult> {
  const inspection = await capture.inspect({ path }, { signal })
  requireDatabase(path, inspection)
  const outcomes = await Promise.all(
    storages.map(async ({ name: storageName, storage }): Promise<StorageOutcome> => {
      try {
        await findNewest(storage, name, { signal })
        return { storage: storageName, ok: true }
      } catch (error) {
        return { storage: storageName, ok: false, error: serializeError(error) }
      }
    }),
  )
  const mode = inspection.journalMode === 'wal' ? 'in WAL mode' : 'in rollback-journal mode'
  const size = `${path} has ${formatSize(inspection.sizeBytes + inspection.walSizeBytes)}, ${mode}.`
  return { ...nothingDone, outcome: 'planned', storages: outcomes, warnings: [size] }
}

/** The part of a run that the configuration decides. */
export async function settingsOf({ config, capture }: EngineContext, spoolDir: string) {
  const { sqlite } = await capture.hello(undefined)
  const encryption = revealEncryption(config)
  return {
    require: config.require,
    ...pick(config, ['environment', 'appVersion']),
    engine: engineFacts(sqlite),
    compression: config.compression.format,
    level: config.compression.level,
    ...(encryption === undefined ? {} : { encryption }),
    profile: config.profile,
    maxPinMs: config.maxPinMs,
    maxBlockMs: config.maxBlockMs,
    reserveBytes: await reserveBytesOf(config, spoolDir),
  }
}

// When no storage can be asked, the backup must neither be forgotten within hours nor kept for ever.
const TIER_WHEN_UNKNOWN: Tier = 'daily'

async function scheduledTier(
  storages: readonly NamedStorage[],
  database: string,
  at: Date,
  signal: AbortSignal,
): Promise<Tier> {
  for (const { storage } of storages) {
    try {
      return await chooseTier(storage, database, at, {
        signal,
        isGood: async (entry) => !summarizeRecords(await listRecords(storage, entry, { signal })).isBad,
      })
    } catch (error) {
      if (!isBackupError(error) || error.code === 'ABORTED') throw error
    }
  }
  return TIER_WHEN_UNKNOWN
}

function chosenStorages(storages: readonly NamedStorage[], to: readonly string[] | undefined): readonly NamedStorage[] {
  if (storages.length === 0) {
    throw new BackupError('CONFIG_INVALID', 'No storage is configured, so there is nowhere to put a backup.', {
      hint: 'Name one with --to, or write a config: `sqlite-backup init`.',
    })
  }
  const unknown = to?.find((name) => !storages.some((each) => each.name === name))
  if (unknown !== undefined) {
    throw new BackupError('USAGE', `There is no storage "${unknown}" in the configuration.`, {
      hint: `It has: ${storages.map((each) => each.name).join(', ')}.`,
    })
  }
  return to === undefined ? storages : storages.filter((each) => to.includes(each.name))
}

/** The named properties that are set. */
export function pick<T extends object, K extends keyof T>(
  from: T,
  keys: readonly K[],
): { [P in K]?: Exclude<T[P], undefined> } {
  const picked: { [P in K]?: Exclude<T[P], undefined> } = {}
  for (const key of keys) if (from[key] !== undefined) picked[key] = from[key] as Exclude<T[K], undefined>
  return picked
}
