import {
  BackupError,
  type BackupList,
  type DatabaseStatus,
  isBackupError,
  type Status,
  type StorageStatus,
} from '@sqlite-backup/core'
import { listRestoreRequests, type RestoreRequestReport } from '../actions/restore-request.ts'
import type { Activity, LastFailure } from '../activity.ts'
import type { AdminContext } from '../admin-context.ts'
import type { Job } from '../jobs.ts'
import { describeSafety, type Safety } from './describe-safety.ts'
import { orNone } from './or-none.ts'

/** What the first page says about one database; the JSON API gives the same. */
export interface Overview {
  readonly database: string
  /** ISO 8601, UTC. */
  readonly at: string
  readonly environment?: string
  readonly safety: Safety
  readonly storages: DatabaseStatus['storages']
  /** The next run of a job. */
  readonly next?: DatabaseStatus['next']
  /** What an app does first that closes the engine when it stops. */
  readonly stop: Status['stop']
  /** What should be known though nothing is wrong with a backup. */
  readonly warnings: readonly string[]
  readonly running: readonly Activity[]
  readonly lastFailure?: LastFailure
  /** Restores that wait for another person. */
  readonly waiting: readonly RestoreRequestReport[]
  /** What people started in the last two days and a process did not finish before it ended. */
  readonly interrupted: readonly Job[]
  /** Restores of the last two days that one person did alone, though two are wanted. */
  readonly brokeGlass: readonly RestoreRequestReport[]
  /** The newest backups. */
  readonly newest: BackupList['items']
}

/** Newest backups on the first page, and points of its chart. */
export const overviewBackups = 30

export async function readOverview(admin: AdminContext, database: string): Promise<Overview> {
  const { engine, activity, facts, environment, now } = admin
  // A deep look for forks is for those who stay: the first page comes with a handful of requests.
  const isFirst = !admin.looked.has(database)
  const forkDepth = isFirst ? 2 : 8
  const [status, reports, requests, interrupted] = await Promise.all([
    // Of no storage: what the engine knows without asking one.
    engine.status({ database, from: '' }),
    Promise.all(
      engine.storages.map((storage) =>
        facts.get(`status ${database} ${storage} ${forkDepth}`, () => statusOf(admin, database, storage, forkDepth)),
      ),
    ),
    // With the first view one of two lists is read; what the other held at mount is known.
    isFirst && admin.approvals === 1
      ? []
      : facts.get(`requests ${database}`, () => orNone(() => listRestoreRequests(admin, database))),
    isFirst && admin.approvals === 2
      ? (admin.leftBehind.get(database) ?? [])
      : facts.get(`interrupted ${database}`, () => orNone(() => admin.jobs.interrupted(database))),
  ])
  const storages = reports.map(({ report, readAtMs }) => {
    const spentMs = now().getTime() - readAtMs
    const { newest } = report
    return newest === undefined ? report : { ...report, newest: { ...newest, ageMs: newest.ageMs + spentMs } }
  })
  admin.looked.add(database)
  const newest = newestOf(storages.flatMap(({ recent }) => (recent === undefined ? [] : [recent])))
  const next = status.databases[0]?.next
  const lastFailure = activity.lastFailure(database)
  return {
    database,
    at: now().toISOString(),
    ...(environment === undefined ? {} : { environment }),
    safety: describeSafety({ storages }, admin.ownsEngine ? undefined : status.stop),
    stop: status.stop,
    storages: storages.map(({ recent: _, ...storage }) => storage),
    ...(next === undefined ? {} : { next }),
    warnings: status.warnings,
    running: activity.running().filter((run) => run.database === database),
    ...(lastFailure === undefined ? {} : { lastFailure }),
    waiting: requests.filter(({ state }) => state === 'waiting'),
    interrupted,
    brokeGlass: requests.filter(({ state }) => state === 'broke-glass'),
    newest,
  }
}

interface StorageReport {
  readonly report: StorageStatus
  readonly readAtMs: number
}

async function statusOf(
  { engine, patience, now }: AdminContext,
  database: string,
  storage: string,
  forkDepth: number,
): Promise<StorageReport> {
  try {
    const { databases } = await patience.wait(storage, (signal) =>
      engine.status({ database, from: storage, recent: overviewBackups, forkDepth, signal }),
    )
    const [report] = databases.flatMap(({ storages }) => storages)
    if (report !== undefined) return { report, readAtMs: now().getTime() }
    throw new BackupError('INTERNAL', `The engine says nothing of ${storage}.`)
  } catch (error) {
    if (!isBackupError(error, 'UNAVAILABLE')) throw error
    // Where it is has not been looked up: only what is known to be on this machine's disk is warned of.
    const report = { storage, healthy: false, offsite: true, problems: [error.message] }
    return { report, readAtMs: now().getTime() }
  }
}

/** All storages should have the same: the one that has the newest shows it, with what any of them knows about each. */
function newestOf(lists: readonly BackupList['items'][]): BackupList['items'] {
  const [items = []] = lists.toSorted((a, b) => (b[0]?.created ?? '').localeCompare(a[0]?.created ?? ''))
  return items.map((item) => {
    const known = lists.flatMap((list) => list.filter(({ id }) => id === item.id).flatMap(({ marks }) => marks ?? []))
    const level = (['proven', 'checked', 'stored'] as const).find((each) => known.some((marks) => marks.level === each))
    const isBad = known.some((marks) => marks.isBad)
    return {
      ...item,
      ...(item.marks === undefined
        ? {}
        : {
            marks: {
              ...(isBad || level === undefined ? {} : { level }),
              isBad,
              isKept: known.some((marks) => marks.isKept),
            },
          }),
    }
  })
}
