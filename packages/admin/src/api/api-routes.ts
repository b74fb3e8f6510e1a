import { compareBackup, readComparison } from '../actions/compare-backup.ts'
import { deleteBackup, planDelete } from '../actions/delete-backup.ts'
import { makeDownloadLink } from '../actions/download-backup.ts'
import { findJob } from '../actions/find-job.ts'
import { keepBackup } from '../actions/keep-backup.ts'
import { makeBackup } from '../actions/make-backup.ts'
import { approveRestore, denyRestore, planOf, requestRestore } from '../actions/restore-backup.ts'
import { listRestoreRequests } from '../actions/restore-request.ts'
import { showBackup } from '../actions/show-backup.ts'
import { verifyBackup } from '../actions/verify-backup.ts'
import { readOverview } from '../facts/read-overview.ts'
import { readStorageUse } from '../facts/read-storage-use.ts'
import { openActivityStream } from '../open-activity-stream.ts'
import { listBackups, maySeePlan } from '../pages/page-routes.ts'
import { link } from '../pages/parts.ts'
import type { Route } from '../routes.ts'
import { AdminError } from '../web/admin-error.ts'
import { databaseOf, type Exchange } from '../web/exchange.ts'

/** The same facts and actions for programs. docs/10-admin.md is the manual. */
export const apiRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/overview',
    permission: 'view',
    handle: async (exchange) => json(await readOverview(exchange.admin, databaseOf(exchange))),
  },
  {
    method: 'GET',
    path: '/api/backups',
    permission: 'view',
    handle: async (exchange) => json(await listBackups(exchange)),
  },
  {
    method: 'POST',
    path: '/api/backups',
    permission: 'backup',
    handle: async (exchange) => json({ job: await makeBackup(exchange) }, 202),
  },
  {
    method: 'GET',
    path: '/api/backups/:id',
    permission: 'view',
    handle: async (exchange) => json(await showBackup(exchange)),
  },
  {
    method: 'POST',
    path: '/api/backups/:id/verify',
    permission: 'backup',
    handle: async (exchange) => json({ job: await verifyBackup(exchange) }, 202),
  },
  {
    method: 'POST',
    path: '/api/backups/:id/keep',
    permission: 'backup',
    handle: async (exchange) => json({ kept: await keepBackup(exchange) }),
  },
  { method: 'POST', path: '/api/backups/:id/download', permission: 'download', handle: makeLink },
  { method: 'POST', path: '/api/download', permission: 'download', handle: makeLink },
  { method: 'GET', path: '/api/backups/:id/plan', permission: maySeePlan, handle: showPlan },
  { method: 'POST', path: '/api/backups/:id/restore', permission: 'restore:request', handle: restore },
  {
    method: 'POST',
    path: '/api/backups/:id/compare',
    permission: maySeePlan,
    handle: async (exchange) => json({ job: await compareBackup(exchange) }, 202),
  },
  {
    method: 'GET',
    path: '/api/backups/:id/delete',
    permission: 'delete',
    handle: async (exchange) => json(await planDelete(exchange)),
  },
  {
    method: 'POST',
    path: '/api/backups/:id/delete',
    permission: 'delete',
    handle: async (exchange) => json(await deleteBackup(exchange)),
  },
  {
    method: 'GET',
    path: '/api/jobs',
    permission: 'view',
    handle: async (exchange) => json({ jobs: await exchange.admin.jobs.list(databaseOf(exchange)) }),
  },
  { method: 'GET', path: '/api/jobs/:id', permission: 'view', handle: showJob },
  {
    method: 'GET',
    path: '/api/storages',
    permission: 'view',
    handle: async (exchange) => json({ storages: await readStorageUse(exchange.admin, databaseOf(exchange)) }),
  },
  {
    method: 'GET',
    path: '/api/approvals',
    permission: 'view',
    handle: async (exchange) => json({ requests: await listRestoreRequests(exchange.admin, databaseOf(exchange)) }),
  },
  {
    method: 'POST',
    path: '/api/approvals/:id/approve',
    permission: 'restore:approve',
    handle: async (exchange) => json({ job: await approveRestore(exchange) }, 202),
  },
  {
    method: 'POST',
    path: '/api/approvals/:id/deny',
    permission: 'view',
    async handle(exchange) {
      await denyRestore(exchange)
      return json({ denied: exchange.params.id })
    },
  },
  {
    method: 'GET',
    path: '/api/audit',
    permission: 'view',
    handle: async (exchange) => json(await exchange.admin.audit.read(databaseOf(exchange))),
  },
  { method: 'GET', path: '/api/events', permission: 'view', handle: openActivityStream },
]

async function makeLink(exchange: Exchange): Promise<Response> {
  const { token, expiresAt } = await makeDownloadLink(exchange)
  const { databases } = exchange.admin.engine
  const query = databases.length > 1 ? { db: databaseOf(exchange) } : {}
  return json({ path: link(exchange.base, `/downloads/${token}`, query), expiresAt }, 201)
}

async function showPlan(exchange: Exchange): Promise<Response> {
  const to = exchange.query.to ?? 'database'
  if (to !== 'database' && to !== 'file') throw new AdminError(400, 'TO_INVALID', 'Restore to "database" or to "file".')
  const plan = await planOf(exchange, to)
  return json({ ...plan, comparison: await readComparison(exchange, plan.id, plan.storage) })
}

async function restore(exchange: Exchange): Promise<Response> {
  const answer = await requestRestore(exchange)
  return json(answer.kind === 'started' ? { job: answer.job } : { request: answer.request }, 202)
}

async function showJob(exchange: Exchange): Promise<Response> {
  return json({ job: await findJob(exchange) })
}

function json(value: unknown, status = 200): Response {
  return Response.json(value, { status })
}
