import { basename, dirname, join } from 'node:path'
import type { RestorePlan } from '@sqlite-backup/core'
import { formatDuration } from '../format.ts'
import type { Job } from '../jobs.ts'
import { AdminError } from '../web/admin-error.ts'
import { backupIdOf, databaseOf, type Exchange, requirePermission } from '../web/exchange.ts'
import { requireIdle } from './make-backup.ts'
import {
  decideRequest,
  isSameActor,
  putRestoreRequest,
  type RestoreRequestReport,
  requireOpenRequest,
} from './restore-request.ts'
import { showBackup } from './show-backup.ts'

/** Where a restored database goes. */
export type RestoreTo = 'database' | 'file'

/** What a restore would do. */
export async function planOf(exchange: Exchange, to: RestoreTo): Promise<RestorePlan> {
  const { admin } = exchange
  const database = databaseOf(exchange)
  // A plan looks at the database, too, which takes as long as it takes: who does not answer is found out before.
  const { storage: from } = await showBackup(exchange)
  const inPlace = await admin.engine.planRestore(backupIdOf(exchange), { database, from })
  if (to === 'database') return inPlace
  return admin.engine.planRestore(inPlace.id, { database, from, output: besideTarget(inPlace) })
}

/** Nobody names a path here: the file stands beside the database, where there is room and the same people may read. */
function besideTarget({ target, id }: RestorePlan): string {
  return join(dirname(target), `${basename(target)}.restored-${id}.db`)
}

/** What came of asking for a restore. */
export type RestoreAnswer =
  | { readonly kind: 'started'; readonly job: Job }
  | { readonly kind: 'waiting'; readonly request: RestoreRequestReport }

/**
 * Restores to a file at once; in place after the database's name was typed, and with two people after another one said yes.
 * @throws AdminError `CONFIRM_MISMATCH`, `PLAN_CHANGED`, `BUSY`
 */
export async function requestRestore(exchange: Exchange): Promise<RestoreAnswer> {
  const { admin, access, input } = exchange
  const database = databaseOf(exchange)
  const to = input.to ?? 'database'
  if (to !== 'database' && to !== 'file') throw new AdminError(400, 'TO_INVALID', 'Restore to "database" or to "file".')
  if (to === 'database' && input.confirm !== database) {
    throw new AdminError(400, 'CONFIRM_MISMATCH', `Type the name of the database, ${database}, to restore it.`, {
      hint: 'Nothing was changed.',
    })
  }
  requireIdle(exchange, 'restore', database)
  const plan = await planOf(exchange, to)
  requireSameBytes(plan, input.sha256)
  requirePossible(plan)
  const actor = access.actor.id
  const reason = input.reason?.trim() ?? ''
  const detail = { to, target: plan.target, ...(reason === '' ? {} : { reason }) }
  if (to === 'database' && admin.approvals === 2) {
    const request = await putRestoreRequest(admin, {
      database,
      backup: plan.id,
      storage: plan.storage,
      sha256: plan.manifest.stored.sha256,
      target: plan.target,
      requestedBy: actor,
      reason,
    })
    await admin.audit.append(database, {
      actor,
      action: 'restore.requested',
      backup: plan.id,
      detail: { ...detail, request: request.id },
    })
    return { kind: 'waiting', request }
  }
  await admin.audit.append(database, { actor, action: 'restore.started', backup: plan.id, detail })
  return { kind: 'started', job: await startRestore(exchange, database, plan, to) }
}

/**
 * Another person says yes, and the restore begins.
 * @throws AdminError `SAME_ACTOR`, `PLAN_CHANGED`, `REQUEST_UNKNOWN`, `REQUEST_EXPIRED`, `REQUEST_USED`, `BUSY`
 */
export async function approveRestore(exchange: Exchange): Promise<Job> {
  const { admin, access, params } = exchange
  const database = databaseOf(exchange)
  const ticket = await requireOpenRequest(admin, database, params.id ?? '')
  const { value } = ticket
  const actor = access.actor.id
  if (isSameActor(actor, value.requestedBy)) {
    throw new AdminError(403, 'SAME_ACTOR', 'Another person has to approve: you asked for this restore yourself.')
  }
  requireIdle(exchange, 'restore', database)
  const plan = await admin.engine.planRestore(value.backup, { database, from: value.storage })
  if (plan.manifest.stored.sha256 !== value.sha256 || plan.target !== value.target || plan.id !== value.backup) {
    throw new AdminError(409, 'PLAN_CHANGED', 'The backup or the target is no longer what was asked for.', {
      hint: 'Ask for the restore again.',
    })
  }
  // The claim comes first: of two approvals at the same moment, one starts a restore.
  await decideRequest(admin, ticket, actor, 'approved')
  await admin.audit.append(database, {
    actor,
    action: 'restore.approved',
    backup: plan.id,
    detail: { request: ticket.id, requestedBy: value.requestedBy, target: plan.target },
  })
  return startRestore(exchange, database, plan, 'database')
}

/** Another person, or the one who asked, says no. */
export async function denyRestore(exchange: Exchange): Promise<void> {
  const { admin, access, params } = exchange
  const database = databaseOf(exchange)
  const ticket = await requireOpenRequest(admin, database, params.id ?? '')
  const actor = access.actor.id
  // Who asked may take it back without being one who approves.
  if (!isSameActor(actor, ticket.value.requestedBy)) requirePermission(access, 'restore:approve')
  await decideRequest(admin, ticket, actor, 'denied')
  await admin.audit.append(database, {
    actor,
    action: 'restore.denied',
    backup: ticket.value.backup,
    detail: { request: ticket.id, requestedBy: ticket.value.requestedBy },
  })
}

/** What would be refused anyway is said before it is written down, or another person is asked. */
function requirePossible({ refusal }: RestorePlan): void {
  if (refusal === undefined) return
  const { code, message, hint } = refusal
  throw new AdminError(409, code, message, hint === undefined ? {} : { hint })
}

function requireSameBytes({ manifest }: RestorePlan, sha256: string | undefined): void {
  if (sha256 === undefined || sha256 === '' || sha256 === manifest.stored.sha256) return
  throw new AdminError(409, 'PLAN_CHANGED', 'The backup is no longer the one on the page.', {
    hint: 'Nothing was changed. Look at the plan again.',
  })
}

async function startRestore(
  { admin, access }: Exchange,
  database: string,
  plan: RestorePlan,
  to: RestoreTo,
): Promise<Job> {
  const actor = access.actor.id
  const starting = admin.jobs.start({
    kind: 'restore',
    database,
    backup: plan.id,
    actor,
    async run(signal) {
      try {
        const restored = await admin.engine.restore(plan.id, {
          database,
          from: plan.storage,
          actor,
          ...(to === 'file' ? { output: plan.target } : {}),
          signal,
        })
        await admin.audit.append(database, {
          actor,
          action: 'restore.succeeded',
          backup: plan.id,
          detail: {
            target: restored.target,
            ...(restored.safetyBackup === undefined ? {} : { safetyBackup: restored.safetyBackup }),
          },
        })
        const waited = restored.pausedMs >= 1 ? ` Writers waited ${formatDuration(restored.pausedMs)}.` : ''
        const what = to === 'file' ? `Written to ${restored.target}` : `${database} is back as it was in ${plan.id}`
        const safety =
          restored.safetyBackup === undefined ? '' : ` What was there before is the backup ${restored.safetyBackup}.`
        return {
          message: `${what}, in ${formatDuration(restored.durationMs)}.${waited}${safety}`,
          warnings: restored.warnings,
          backup: plan.id,
          ...(to === 'file' ? { file: restored.target } : {}),
        }
      } catch (error) {
        await admin.audit.append(database, { actor, action: 'restore.failed', backup: plan.id })
        throw error
      }
    },
  })
  try {
    return await starting
  } catch (error) {
    // Another one began between the look and the start: what was written down did not happen.
    await admin.audit.append(database, { actor, action: 'restore.failed', backup: plan.id, detail: { why: 'busy' } })
    throw error
  }
}
