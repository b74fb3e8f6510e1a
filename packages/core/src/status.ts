import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { firstAnswering, type NamedStorage } from './catalog/first-answering.ts'
import { listBackupPage } from './catalog/list-backups.ts'
import { listDatabases } from './catalog/list-databases.ts'
import { readLineage } from './catalog/read-lineage.ts'
import { listRecordsOf } from './catalog/records.ts'
import { summarizeRecords } from './catalog/summarize-records.ts'
import type { ResolvedDatabase, ResolvedJob } from './config/config.ts'
import type { EngineContext } from './context.ts'
import type { DatabaseStatus, Status, StatusOptions, StorageStatus } from './engine-api.ts'
import { messageOf } from './errors.ts'
import { type Beat, lastSignOf, readBeats } from './monitor/beat.ts'
import { judgeFreshness } from './monitor/judge-freshness.ts'
import { warningsOf } from './monitor/warnings.ts'
import { slotAfter } from './schedule/slot-times.ts'
import { summaryOf } from './summary-of.ts'

/** Asks every storage how safe each database is. A storage that does not answer is a problem, not an exception. */
export async function readStatus(
  { config, storages: all }: Pick<EngineContext, 'config' | 'storages'>,
  options: StatusOptions & { readonly now: Date },
): Promise<Status> {
  const { maxAgeMs = config.health.maxAgeMs, now } = options
  const databases = await Promise.all(
    (await databasesAskedFor({ config, storages: all }, options)).map(async (database): Promise<DatabaseStatus> => {
      const storages = all.filter((each) => options.from === undefined || each.name === options.from)
      return {
        database: database.name,
        storages: await Promise.all(
          storages.map((storage) =>
            statusOf(database, storage, { ...options, ...(maxAgeMs === undefined ? {} : { maxAgeMs }) }),
          ),
        ),
        ...nextRunOf(config.jobs, database.name, now),
      }
    }),
  )
  const reports = databases.flatMap((each) => each.storages)
  return {
    healthy: reports.length > 0 && reports.every((each) => each.healthy),
    at: options.now.toISOString(),
    databases,
    stop: {
      backup: config.enabled && config.stop.backup !== false ? 'if-changed' : false,
      deadlineMs: config.stop.deadline.ms,
    },
    warnings: warningsOf(config),
  }
}

/** Where nothing is configured, the storage says what it holds: a watching machine needs no more than a key to read it. */
async function databasesAskedFor(
  { config, storages }: Pick<EngineContext, 'config' | 'storages'>,
  { database, from, signal }: StatusOptions,
): Promise<readonly WatchedDatabase[]> {
  if (database !== undefined) return [config.databases.find(({ name }) => name === database) ?? { name: database }]
  if (config.databases.length > 0) return config.databases
  const { value } = await firstAnswering(storages, (storage) => listDatabases(storage, { signal }), { from })
  return value.map((name) => ({ name }))
}

/** The path is known when it is configured here. */
type WatchedDatabase = Pick<ResolvedDatabase, 'name'> & Partial<ResolvedDatabase>

// Whoever backs up at all has done so in these days: then their keys come with one request.
const RECENT_MS = 2 * 86_400_000

// Clocks of two machines are never quite the same.
const CLOCK_TOLERANCE_MS = 5 * 60_000

async function statusOf(
  database: WatchedDatabase,
  { name, storage }: NamedStorage,
  { maxAgeMs, now, signal, recent = 0, forkDepth = 8 }: StatusOptions & { readonly now: Date },
): Promise<StorageStatus> {
  const offsite = await isOffsite(database.path, storage.localDir)
  const problems: string[] = []
  try {
    const limit = Math.max(1, recent, forkDepth)
    const recentSince = new Date(now.getTime() - RECENT_MS)
    const { items } = await listBackupPage(storage, { database: database.name, limit, recentSince, signal })
    const [newest] = items
    if (newest === undefined) return { storage: name, healthy: false, offsite, problems: ['There is no backup.'] }
    const shown = items.slice(0, Math.max(1, recent))
    // What was dated ahead stands before all that grew from it: soon nothing that is read leads back to it.
    const dated = items.filter(({ created }) => created.getTime() <= now.getTime() + CLOCK_TOLERANCE_MS)
    const [recordsById, lineage, beats] = await Promise.all([
      listRecordsOf(storage, shown, { signal }),
      readLineage(storage, database.name, { newest: dated.length === 0 ? items : dated, depth: forkDepth, signal }),
      readBeats(storage, database.name, { signal }),
    ])
    const { level = 'stored', verifiedAt, isBad } = summarizeRecords(recordsById.get(newest.id) ?? [])
    const ageMs = Math.max(0, now.getTime() - newest.created.getTime())
    const { asOf, isAsleep } = judgeFreshness(newest, beats, now)
    const knownMs = now.getTime() - asOf.getTime()
    if (maxAgeMs !== undefined && knownMs > maxAgeMs && !isAsleep) {
      problems.push(
        asOf > newest.created
          ? `Nothing was heard for ${inWords(knownMs)}, and it may be ${inWords(maxAgeMs)} at most.`
          : `The newest backup is ${inWords(ageMs)} old, and may be ${inWords(maxAgeMs)} at most.`,
      )
    }
    const aheadMs = newest.created.getTime() - now.getTime()
    if (aheadMs > CLOCK_TOLERANCE_MS) {
      problems.push(
        `The newest backup, ${newest.id}, is dated ${inWords(aheadMs)} in the future: the clock of who made it was ahead, or this one is behind. Until then its age says nothing.`,
      )
    }
    if (lineage.damaged.includes(newest.id))
      problems.push('The newest backup cannot be restored: its manifest is damaged.')
    if (isBad) problems.push('The newest backup failed verification.')
    const fork = lineage.rivals.length > 0 ? lineage.rivals : undefined
    if (fork !== undefined) problems.push(`The history has forked: ${fork.join(' and ')} do not build on one another.`)
    const healthy = problems.length === 0
    return {
      storage: name,
      healthy,
      offsite,
      ...beatOf(beats),
      newest: {
        id: newest.id,
        created: newest.created.toISOString(),
        ageMs,
        tier: newest.tier,
        storedSizeBytes: newest.storedSizeBytes,
        level,
        ...(verifiedAt === undefined ? {} : { verifiedAt: verifiedAt.toISOString() }),
      },
      ...(recent === 0 ? {} : { recent: shown.map((entry) => summaryOf(entry, recordsById.get(entry.id))) }),
      ...(fork === undefined ? {} : { fork }),
      problems,
    }
  } catch (error) {
    signal?.throwIfAborted()
    return { storage: name, healthy: false, offsite, problems: [messageOf(error)] }
  }
}

/** What the last sign of life says. */
function beatOf(beats: readonly Beat[]): Pick<StorageStatus, 'beat'> {
  const last = beats.reduce<Beat | undefined>(
    (a, b) => (a === undefined || lastSignOf(b) > lastSignOf(a) ? b : a),
    undefined,
  )
  return last === undefined ? {} : { beat: { at: last.at, state: last.state } }
}

function nextRunOf(jobs: readonly ResolvedJob[], database: string, now: Date): Pick<DatabaseStatus, 'next'> {
  const next = jobs
    .filter(({ databases }) => databases.includes(database))
    .map(({ name, schedule }) => ({ job: name, atMs: slotAfter(schedule, now.getTime()) ?? Number.POSITIVE_INFINITY }))
    .reduce<{ readonly job: string; readonly atMs: number } | undefined>(
      (a, b) => (a && a.atMs <= b.atMs ? a : b),
      undefined,
    )
  return next === undefined || next.atMs === Number.POSITIVE_INFINITY
    ? {}
    : { next: { job: next.job, at: new Date(next.atMs).toISOString() } }
}

function inWords(ms: number): string {
  const count = (size: number, unit: string): string => {
    const rounded = Math.round(ms / size)
    return `${rounded} ${unit}${rounded === 1 ? '' : 's'}`
  }
  if (ms < 100_000) return count(1000, 'second')
  if (ms < 6_000_000) return count(60_000, 'minute')
  return ms < 172_800_000 ? count(3_600_000, 'hour') : count(86_400_000, 'day')
}

/** A folder on the database's own volume dies with it. */
export async function isOffsite(databasePath: string | undefined, localDir: string | undefined): Promise<boolean> {
  if (localDir === undefined) return true
  if (databasePath === undefined) return false
  const [database, storage] = await Promise.all([deviceOf(dirname(databasePath)), deviceOf(localDir)])
  return database !== undefined && storage !== undefined && database !== storage
}

/** Device number of a folder, or of the nearest one above it that exists. */
async function deviceOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).dev
  } catch {
    const parent = dirname(path)
    return parent === path ? undefined : deviceOf(parent)
  }
}
