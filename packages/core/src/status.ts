import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { findNewest } from './catalog/find-newest.ts'
import { firstAnswering, type NamedStorage } from './catalog/first-answering.ts'
import { listDatabases } from './catalog/list-databases.ts'
import { readLineage } from './catalog/read-lineage.ts'
import { listRecords } from './catalog/records.ts'
import { summarizeRecords } from './catalog/summarize-records.ts'
import type { ResolvedDatabase } from './config/config.ts'
import type { EngineContext } from './context.ts'
import type { DatabaseStatus, Status, StatusOptions, StorageStatus } from './engine-api.ts'
import { messageOf } from './errors.ts'

/** Asks every storage how safe each database is. A storage that does not answer is a problem, not an exception. */
export async function readStatus(
  { config, storages: all }: Pick<EngineContext, 'config' | 'storages'>,
  options: StatusOptions & { readonly now: Date },
): Promise<Status> {
  const databases = await Promise.all(
    (await databasesAskedFor({ config, storages: all }, options)).map(async (database): Promise<DatabaseStatus> => {
      const storages = all.filter((each) => options.from === undefined || each.name === options.from)
      return {
        database: database.name,
        storages: await Promise.all(storages.map((storage) => statusOf(database, storage, options))),
      }
    }),
  )
  const reports = databases.flatMap((each) => each.storages)
  return {
    healthy: reports.length > 0 && reports.every((each) => each.healthy),
    at: options.now.toISOString(),
    databases,
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

async function statusOf(
  database: WatchedDatabase,
  { name, storage }: NamedStorage,
  { maxAgeMs, now, signal }: StatusOptions & { readonly now: Date },
): Promise<StorageStatus> {
  const offsite = await isOffsite(database.path, storage.localDir)
  const problems: string[] = []
  try {
    const newest = await findNewest(storage, database.name, { signal })
    if (newest === undefined) return { storage: name, healthy: false, offsite, problems: ['There is no backup.'] }
    const [records, lineage] = await Promise.all([
      listRecords(storage, newest, { signal }),
      readLineage(storage, database.name, { signal }),
    ])
    const { level = 'stored', verifiedAt, isBad } = summarizeRecords(records)
    const ageMs = Math.max(0, now.getTime() - newest.created.getTime())
    if (maxAgeMs !== undefined && ageMs > maxAgeMs) {
      problems.push(`The newest backup is ${inWords(ageMs)} old, and may be ${inWords(maxAgeMs)}.`)
    }
    if (isBad) problems.push('The newest backup failed verification.')
    const fork = lineage.rivals.length > 0 ? lineage.rivals : undefined
    if (fork !== undefined) problems.push(`The history has forked: ${fork.join(' and ')} do not build on one another.`)
    const healthy = problems.length === 0
    return {
      storage: name,
      healthy,
      offsite,
      newest: {
        id: newest.id,
        created: newest.created.toISOString(),
        ageMs,
        tier: newest.tier,
        storedSizeBytes: newest.storedSizeBytes,
        level,
        ...(verifiedAt === undefined ? {} : { verifiedAt: verifiedAt.toISOString() }),
      },
      ...(fork === undefined ? {} : { fork }),
      problems,
    }
  } catch (error) {
    signal?.throwIfAborted()
    return { storage: name, healthy: false, offsite, problems: [messageOf(error)] }
  }
}

function inWords(ms: number): string {
  const [unit, size] =
    ms < 3_600_000 ? ['minutes', 60_000] : ms < 172_800_000 ? ['hours', 3_600_000] : ['days', 86_400_000]
  return `${Math.round(ms / size)} ${unit}`
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
