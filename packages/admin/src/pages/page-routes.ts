import type { BackupList, ListBackupsOptions } from '@sqlite-backup/core'
import { compareBackup, readComparison } from '../actions/compare-backup.ts'
import { deleteBackup, planDelete } from '../actions/delete-backup.ts'
import { makeDownloadLink, useDownloadLink } from '../actions/download-backup.ts'
import { findJob } from '../actions/find-job.ts'
import { keepBackup } from '../actions/keep-backup.ts'
import { makeBackup } from '../actions/make-backup.ts'
import { approveRestore, denyRestore, planOf, requestRestore } from '../actions/restore-backup.ts'
import { listRestoreRequests } from '../actions/restore-request.ts'
import { showBackup as findBackup } from '../actions/show-backup.ts'
import { verifyBackup } from '../actions/verify-backup.ts'
import { askInOrder } from '../ask-in-order.ts'
import { assets } from '../assets.ts'
import { listRestorePoints } from '../facts/list-restore-points.ts'
import { readOverview } from '../facts/read-overview.ts'
import { readStorageUse } from '../facts/read-storage-use.ts'
import { openActivityStream } from '../open-activity-stream.ts'
import type { Route } from '../routes.ts'
import { AdminError, toAdminError } from '../web/admin-error.ts'
import { backupIdOf, databaseOf, type Exchange, storageOf } from '../web/exchange.ts'
import { approvalsPage } from './approvals-page.ts'
import { auditPage } from './audit-page.ts'
import { backupPage } from './backup-page.ts'
import { type BackupsFilter, backupsPage, tiers } from './backups-page.ts'
import { deletePage } from './delete-page.ts'
import { jobPage } from './job-page.ts'
import { jobsPage } from './jobs-page.ts'
import { type PageFrame, page } from './layout.ts'
import { overviewPage } from './overview-page.ts'
import { link } from './parts.ts'
import { restorePage } from './restore-page.ts'
import { storagePage } from './storage-page.ts'
import { type Span, spans, timelinePage } from './timeline-page.ts'

/** Who approves what another one asked for has to see it. */
export const maySeePlan = ['restore:request', 'restore:approve'] as const

/** What a browser sees. Every action is a form, so all of it works without script. */
export const pageRoutes: readonly Route[] = [
  { method: 'GET', path: '/', permission: 'view', handle: showOverview },
  { method: 'GET', path: '/backups', permission: 'view', handle: showBackups },
  {
    method: 'POST',
    path: '/backups',
    permission: 'backup',
    handle: async (exchange) => toJob(exchange, (await makeBackup(exchange)).id),
  },
  { method: 'GET', path: '/backups/:id', permission: 'view', handle: showBackup },
  {
    method: 'POST',
    path: '/backups/:id/verify',
    permission: 'backup',
    handle: async (exchange) => toJob(exchange, (await verifyBackup(exchange)).id),
  },
  {
    method: 'POST',
    path: '/backups/:id/keep',
    permission: 'backup',
    async handle(exchange) {
      await keepBackup(exchange)
      return seeOther(exchange, `/backups/${backupIdOf(exchange)}`)
    },
  },
  { method: 'POST', path: '/backups/:id/download', permission: 'download', handle: toDownload },
  { method: 'POST', path: '/download', permission: 'download', handle: toDownload },
  { method: 'GET', path: '/downloads/:token', permission: 'download', handle: useDownloadLink },
  { method: 'GET', path: '/restore', permission: 'restore:request', handle: showTimeline },
  { method: 'GET', path: '/restore/:id', permission: maySeePlan, handle: showRestore },
  { method: 'POST', path: '/restore/:id', permission: 'restore:request', handle: confirmRestore },
  {
    method: 'POST',
    path: '/backups/:id/compare',
    permission: maySeePlan,
    handle: async (exchange) => toJob(exchange, (await compareBackup(exchange)).id),
  },
  { method: 'GET', path: '/delete/:id', permission: 'delete', handle: showDelete },
  { method: 'POST', path: '/delete/:id', permission: 'delete', handle: confirmDelete },
  { method: 'GET', path: '/jobs', permission: 'view', handle: showJobs },
  { method: 'GET', path: '/jobs/:id', permission: 'view', handle: showJob },
  { method: 'GET', path: '/storage', permission: 'view', handle: showStorage },
  { method: 'GET', path: '/approvals', permission: 'view', handle: showApprovals },
  {
    method: 'POST',
    path: '/approvals/:id/approve',
    permission: 'restore:approve',
    handle: async (exchange) => toJob(exchange, (await approveRestore(exchange)).id),
  },
  {
    method: 'POST',
    path: '/approvals/:id/deny',
    permission: 'view',
    async handle(exchange) {
      await denyRestore(exchange)
      return seeOther(exchange, '/approvals')
    },
  },
  { method: 'GET', path: '/audit', permission: 'view', handle: showAudit },
  { method: 'GET', path: '/events', permission: 'view', handle: openActivityStream },
  { method: 'GET', path: '/assets/:name', permission: 'view', handle: sendAsset },
]

async function showOverview(exchange: Exchange): Promise<Response> {
  const database = databaseOf(exchange)
  const overview = await readOverview(exchange.admin, database)
  const refresh = overview.running.length > 0 ? { refreshSeconds: 3 } : {}
  return page(
    frame(exchange, { title: database, section: 'overview', database, ...refresh }),
    overviewPage(exchange, overview),
  )
}

async function showBackups(exchange: Exchange): Promise<Response> {
  const database = databaseOf(exchange)
  const filter = filterOf(exchange)
  const list = await listBackups(exchange, filter)
  return page(frame(exchange, { title: 'Backups', section: 'backups', database }), backupsPage(exchange, list, filter))
}

/** A page of the list that the query asks for. */
export async function listBackups(exchange: Exchange, filter: BackupsFilter = filterOf(exchange)): Promise<BackupList> {
  const { admin, query } = exchange
  const { storage, tier, name, since, until } = filter
  const limit = query.limit === undefined ? 50 : Number(query.limit)
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > 1000) {
    throw new AdminError(400, 'LIMIT_INVALID', 'The limit should be 1 to 1000.')
  }
  const options: ListBackupsOptions = {
    limit,
    marks: true,
    ...(tier === undefined ? {} : { tier }),
    ...(name === undefined ? {} : { name }),
    ...(since === undefined ? {} : { since: dateOf(since, '00:00:00.000') }),
    ...(until === undefined ? {} : { until: dateOf(until, '23:59:59.999') }),
    ...(query.cursor === undefined ? {} : { cursor: query.cursor }),
  }
  const database = databaseOf(exchange)
  return askInOrder(admin, storage, (asked) => admin.engine.list(database, { ...options, ...asked }))
}

function filterOf(exchange: Exchange): BackupsFilter {
  const { query } = exchange
  const tier = tiers.find((each) => each === query.tier)
  if (query.tier !== undefined && query.tier !== '' && tier === undefined) {
    throw new AdminError(400, 'TIER_INVALID', `There is no such tier. There are: ${tiers.join(', ')}.`)
  }
  const storage = storageOf(exchange)
  return {
    ...(tier === undefined ? {} : { tier }),
    ...(query.name ? { name: query.name } : {}),
    ...(query.since ? { since: query.since } : {}),
    ...(query.until ? { until: query.until } : {}),
    ...(storage === undefined ? {} : { storage }),
  }
}

/** A day, or a whole moment of ISO 8601. */
function dateOf(text: string, time: string): Date {
  const date = new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T${time}Z` : text)
  if (Number.isNaN(date.getTime()))
    throw new AdminError(400, 'TIME_INVALID', 'A time looks like 2026-11-20 or 2026-11-20T13:00:00Z.')
  return date
}

async function showBackup(exchange: Exchange): Promise<Response> {
  const database = databaseOf(exchange)
  const details = await findBackup(exchange)
  return page(
    frame(exchange, { title: details.manifest.id, section: 'backups', database }),
    backupPage(exchange, details),
  )
}

async function toDownload(exchange: Exchange): Promise<Response> {
  const { token } = await makeDownloadLink(exchange)
  return seeOther(exchange, `/downloads/${token}`)
}

async function showRestore(exchange: Exchange): Promise<Response> {
  const plan = await planOf(exchange, 'database')
  return page(
    frame(exchange, { title: 'Restore', section: 'restore', database: databaseOf(exchange) }),
    restorePage(exchange, { plan, comparison: await readComparison(exchange, plan.id, plan.storage) }),
  )
}

const MAX_POINTS = 500

async function showTimeline(exchange: Exchange): Promise<Response> {
  const { admin, query } = exchange
  const database = databaseOf(exchange)
  const from = storageOf(exchange)
  const source = from === undefined ? {} : { from }
  let problem: AdminError | undefined
  if (query.at) {
    const until = dateOf(momentOf(query.at), '23:59:59.999')
    const { points } = await listRestorePoints(admin, database, { ...source, until, limit: 1 })
    const [found] = points
    if (found !== undefined) return seeOther(exchange, `/restore/${found.id}`, { storage: found.storage })
    problem = new AdminError(404, 'BACKUP_NOT_FOUND', 'There is no backup at or before that moment.', {
      hint: 'The oldest ones are at the left of the line, with “all”.',
    })
  }
  const span = (Object.keys(spans) as Span[]).find((each) => each === (query.span ?? 'week'))
  if (span === undefined) {
    throw new AdminError(400, 'SPAN_INVALID', `The span should be one of ${Object.keys(spans).join(', ')}.`)
  }
  const { ms } = spans[span]
  const found = await listRestorePoints(admin, database, {
    ...source,
    limit: MAX_POINTS,
    ...(ms === undefined ? {} : { since: new Date(admin.now().getTime() - ms) }),
  })
  const response = page(
    frame(exchange, { title: 'Restore', section: 'restore', database }),
    timelinePage(exchange, { database, found, span, at: query.at, problem }),
  )
  return problem === undefined ? response : withStatus(response, problem.status)
}

/** Without a zone, the field means what it says: UTC. Without seconds, the whole minute: lists show no seconds. */
function momentOf(text: string): string {
  if (text.length <= 10 || /(Z|[+-]\d{2}:?\d{2})$/i.test(text)) return text
  return /T\d{2}:\d{2}$/.test(text) ? `${text}:59.999Z` : `${text}Z`
}

async function showDelete(exchange: Exchange): Promise<Response> {
  const plan = await planDelete(exchange)
  return page(
    frame(exchange, { title: 'Delete', section: 'backups', database: plan.database }),
    deletePage(exchange, { plan }),
  )
}

async function confirmDelete(exchange: Exchange): Promise<Response> {
  try {
    await deleteBackup(exchange)
    return seeOther(exchange, '/backups')
  } catch (error) {
    const problem = toAdminError(error)
    if (problem.code !== 'CONFIRM_MISMATCH' && problem.code !== 'DELETE_REFUSED') throw error
    const response = page(
      frame(exchange, { title: 'Delete', section: 'backups', database: databaseOf(exchange) }),
      deletePage(exchange, { plan: await planDelete(exchange), problem }),
    )
    return withStatus(response, problem.status)
  }
}

async function showJobs(exchange: Exchange): Promise<Response> {
  const database = databaseOf(exchange)
  const jobs = await exchange.admin.jobs.list(database)
  const refresh = jobs.some(({ state }) => state === 'running') ? { refreshSeconds: 5 } : {}
  return page(
    frame(exchange, { title: 'Jobs', section: 'jobs', database, ...refresh }),
    jobsPage(exchange, database, jobs),
  )
}

function withStatus(response: Response, status: number): Response {
  return new Response(response.body, { status, headers: response.headers })
}

async function confirmRestore(exchange: Exchange): Promise<Response> {
  try {
    const answer = await requestRestore(exchange)
    return answer.kind === 'started' ? toJob(exchange, answer.job.id) : seeOther(exchange, '/approvals')
  } catch (error) {
    const problem = toAdminError(error)
    if (problem.code !== 'CONFIRM_MISMATCH' && problem.code !== 'PLAN_CHANGED') throw error
    const plan = await planOf(exchange, 'database')
    const comparison = await readComparison(exchange, plan.id, plan.storage)
    const response = page(
      frame(exchange, { title: 'Restore', section: 'restore', database: databaseOf(exchange) }),
      restorePage(exchange, { plan, comparison, problem, reason: exchange.input.reason }),
    )
    return withStatus(response, problem.status)
  }
}

async function showJob(exchange: Exchange): Promise<Response> {
  const job = await findJob(exchange)
  const refresh = job.state === 'running' ? { refreshSeconds: 2 } : {}
  return page(
    frame(exchange, { title: 'Job', section: 'jobs', database: job.database, ...refresh }),
    jobPage(exchange, job),
  )
}

async function showStorage(exchange: Exchange): Promise<Response> {
  const database = databaseOf(exchange)
  const uses = await readStorageUse(exchange.admin, database)
  return page(frame(exchange, { title: 'Storage', section: 'storage', database }), storagePage(database, uses))
}

async function showApprovals(exchange: Exchange): Promise<Response> {
  const database = databaseOf(exchange)
  const requests = await listRestoreRequests(exchange.admin, database)
  const refresh = requests.some(({ state }) => state === 'waiting') ? { refreshSeconds: 15 } : {}
  return page(
    frame(exchange, { title: 'Approvals', section: 'approvals', database, ...refresh }),
    approvalsPage(exchange, requests),
  )
}

async function showAudit(exchange: Exchange): Promise<Response> {
  const database = databaseOf(exchange)
  const report = await exchange.admin.audit.read(database)
  return page(
    frame(exchange, { title: 'Audit log', section: 'audit', database }),
    auditPage(exchange, database, report),
  )
}

function sendAsset({ params }: Exchange): Response {
  const asset = assets.get(params.name ?? '')
  if (asset === undefined) throw new AdminError(404, 'NOT_FOUND', 'There is nothing here.')
  return new Response(asset.text, {
    headers: { 'content-type': asset.type, 'cache-control': 'private, max-age=31536000, immutable' },
  })
}

/** A page of this exchange. */
export function frame(
  { base, admin, access }: Exchange,
  about: Pick<PageFrame, 'title' | 'section' | 'database' | 'refreshSeconds'>,
): PageFrame {
  return {
    base,
    databases: admin.engine.databases,
    environment: admin.environment,
    access,
    approvals: admin.approvals,
    ...about,
  }
}

function toJob(exchange: Exchange, id: string): Response {
  return seeOther(exchange, `/jobs/${id}`)
}

function seeOther(exchange: Exchange, path: string, more: Readonly<Record<string, string>> = {}): Response {
  const { databases } = exchange.admin.engine
  const query = { ...(databases.length > 1 ? { db: databaseOf(exchange) } : {}), ...more }
  return new Response(null, { status: 303, headers: { location: link(exchange.base, path, query) } })
}
