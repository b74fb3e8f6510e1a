import type { BackupList, DatabaseStatus } from '@sqlite-backup/core'
import { listRestoreRequests, type RestoreRequestReport } from '../actions/restore-request.ts'
import type { Activity, LastFailure } from '../activity.ts'
import type { AdminContext } from '../admin-context.ts'
import { describeSafety, type Safety } from './describe-safety.ts'

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
  /** What should be known though nothing is wrong with a backup. */
  readonly warnings: readonly string[]
  readonly running: readonly Activity[]
  readonly lastFailure?: LastFailure
  /** Restores that wait for another person. */
  readonly waiting: readonly RestoreRequestReport[]
  /** The newest backups. */
  readonly newest: BackupList['items']
}

/** Newest backups on the first page, and points of its chart. */
export const overviewBackups = 30

export async function readOverview(admin: AdminContext, database: string): Promise<Overview> {
  const { engine, activity, facts, environment, now } = admin
  // A deep look for forks is for those who stay: the first page comes with a handful of requests.
  const forkDepth = admin.looked.has(database) ? 8 : 2
  const [{ status, readAtMs }, waiting] = await Promise.all([
    facts.get(`status ${database} ${forkDepth}`, async () => ({
      status: await engine.status({ database, recent: overviewBackups, forkDepth }),
      readAtMs: now().getTime(),
    })),
    facts.get(`waiting ${database}`, () => waitingRequests(admin, database)),
  ])
  const spentMs = now().getTime() - readAtMs
  const storages = (status.databases[0]?.storages ?? []).map((each) =>
    each.newest === undefined ? each : { ...each, newest: { ...each.newest, ageMs: each.newest.ageMs + spentMs } },
  )
  admin.looked.add(database)
  // All storages should have the same; the one that has the newest shows it.
  const [newest = []] = storages
    .map(({ recent }) => recent)
    .filter((recent) => recent !== undefined)
    .sort((a, b) => ((a[0]?.created ?? '') < (b[0]?.created ?? '') ? 1 : -1))
  const next = status.databases[0]?.next
  const lastFailure = activity.lastFailure(database)
  return {
    database,
    at: now().toISOString(),
    ...(environment === undefined ? {} : { environment }),
    safety: describeSafety({ storages }),
    storages: storages.map(({ recent: _, ...storage }) => storage),
    ...(next === undefined ? {} : { next }),
    warnings: status.warnings,
    running: activity.running().filter((run) => run.database === database),
    ...(lastFailure === undefined ? {} : { lastFailure }),
    waiting,
    newest,
  }
}

async function waitingRequests(admin: AdminContext, database: string): Promise<readonly RestoreRequestReport[]> {
  if (admin.approvals === 1) return []
  try {
    return (await listRestoreRequests(admin, database)).filter(({ state }) => state === 'waiting')
  } catch (error) {
    // A storage that does not answer is told with the storages.
    if (error instanceof Error && error.name === 'BackupError') return []
    throw error
  }
}
