import { approvalRuleName, type BreakGlass, parseBreakGlass, setApprovalRule } from '@sqlite-backup/core'
import type { AdminContext } from '../admin-context.ts'
import { storagesOf } from '../admin-context.ts'
import { claimTicket, findTicket, listTickets, putTicket, type Ticket, type TicketPlace, ticketId } from '../tickets.ts'
import { AdminError } from '../web/admin-error.ts'

/** A restore one person asks for and another one approves. Bound to what was looked at: these bytes, this target. */
export interface RestoreRequest {
  readonly format: 1
  readonly database: string
  readonly backup: string
  /** The storage it comes from. */
  readonly storage: string
  /** SHA-256 of the stored body. */
  readonly sha256: string
  readonly target: string
  readonly requestedBy: string
  readonly reason: string
  /** ISO 8601, UTC. */
  readonly requestedAt: string
  readonly expiresAt: string
}

/** `broke-glass`: done by one person alone, from the command line. */
export type RequestState = 'waiting' | 'approved' | 'denied' | 'expired' | 'broke-glass'

export interface RestoreRequestReport extends RestoreRequest {
  readonly id: string
  readonly state: RequestState
  readonly decidedBy?: string
  readonly decidedAt?: string
}

export const approvalMs = 30 * 60_000

function placeOf(admin: AdminContext, database: string): TicketPlace {
  return { storages: storagesOf(admin), database, kind: 'approvals' }
}

export async function putRestoreRequest(
  admin: AdminContext,
  request: Omit<RestoreRequest, 'format' | 'requestedAt' | 'expiresAt'>,
): Promise<RestoreRequestReport> {
  const at = admin.now()
  const value: RestoreRequest = {
    format: 1,
    ...request,
    requestedAt: at.toISOString(),
    expiresAt: new Date(at.getTime() + approvalMs).toISOString(),
  }
  const { id } = await putTicket(placeOf(admin, request.database), ticketId(at, 8), value)
  tellPages(admin)
  keepRule(admin, request.database)
  return { ...value, id, state: 'waiting' }
}

/** Requests of the last two days, newest first, with restores that nobody was asked for. */
export async function listRestoreRequests(
  admin: AdminContext,
  database: string,
): Promise<readonly RestoreRequestReport[]> {
  const since = new Date(admin.now().getTime() - 2 * 86_400_000)
  const withRule = new Set<string>()
  const parse = (value: unknown): RestoreRequest | BreakGlass | undefined =>
    parseRequest(value) ?? parseBreakGlass(value)
  const tickets = await listTickets(placeOf(admin, database), since, parse, (storage, name) => {
    if (name === approvalRuleName) withRule.add(storage)
  })
  keepRule(admin, database, withRule)
  return tickets
    .map(({ id, value, claim }) =>
      'kind' in value
        ? ofBreakGlass(id, value)
        : {
            ...value,
            id,
            state: stateOf(value, claim?.outcome, admin.now()),
            ...(claim === undefined ? {} : { decidedBy: claim.actor, decidedAt: claim.at }),
          },
    )
    .reverse()
}

/**
 * The command line has to know whether two people are wanted; where it says otherwise, it is told. Nobody waits for it.
 * It is taken away by an admin that says `approvals: 1`, not by one that says nothing: that may be another app's.
 */
export function keepRule(admin: AdminContext, database: string, withRule: ReadonlySet<string> = new Set()): void {
  const { engine, approvals, isApprovalsStated, keepingRule, log } = admin
  const isRequired = approvals === 2
  if (!isRequired && !isApprovalsStated) return
  if (keepingRule.has(database) || engine.storages.every((name) => withRule.has(name) === isRequired)) return
  keepingRule.add(database)
  setApprovalRule(engine, database, isRequired)
    .catch((error: unknown) =>
      log?.warn({ err: error, database }, 'Whether restores need two people could not be written down'),
    )
    .finally(() => keepingRule.delete(database))
}

/** What nobody was asked for stands among what somebody was. */
function ofBreakGlass(id: string, { database, backup, target, actor, reason, at }: BreakGlass): RestoreRequestReport {
  const asked = { requestedBy: actor, requestedAt: at, expiresAt: at, reason }
  return { format: 1, id, database, backup, storage: '', sha256: '', target, ...asked, state: 'broke-glass' }
}

function stateOf({ expiresAt }: RestoreRequest, outcome: string | undefined, now: Date): RequestState {
  if (outcome === 'approved' || outcome === 'denied') return outcome
  // Not the other way round: what is no time is over.
  return Date.parse(expiresAt) > now.getTime() ? 'waiting' : 'expired'
}

/**
 * The request a second person decides on.
 * @throws AdminError `REQUEST_UNKNOWN`, `REQUEST_EXPIRED`, `SAME_ACTOR`
 */
export async function requireOpenRequest(
  admin: AdminContext,
  database: string,
  id: string,
): Promise<Ticket<RestoreRequest>> {
  const ticket = await findTicket(placeOf(admin, database), id, parseRequest)
  if (ticket === undefined || ticket.value.database !== database) {
    throw new AdminError(404, 'REQUEST_UNKNOWN', 'There is no such request.')
  }
  if (stateOf(ticket.value, undefined, admin.now()) === 'expired') {
    throw new AdminError(409, 'REQUEST_EXPIRED', 'The request is older than 30 minutes and no longer valid.', {
      hint: 'Ask for the restore again.',
    })
  }
  return ticket
}

/** Uses the request up. @throws AdminError `REQUEST_USED` when somebody was first */
export async function decideRequest(
  admin: AdminContext,
  ticket: Ticket<RestoreRequest>,
  actor: string,
  outcome: 'approved' | 'denied',
): Promise<void> {
  const claim = { at: admin.now().toISOString(), actor, outcome }
  const isMine = await claimTicket(placeOf(admin, ticket.value.database), ticket, claim)
  tellPages(admin)
  if (isMine) return
  throw new AdminError(409, 'REQUEST_USED', 'Somebody has decided on this request already.')
}

/** A request is no event of the engine: who has to approve should see it all the same. */
function tellPages({ facts, streams }: AdminContext): void {
  facts.clear()
  for (const stream of streams) stream.send('changed', { event: 'approval' })
}

/** Two spellings of one id are one person. */
export function isSameActor(a: string, b: string): boolean {
  const plain = (text: string): string => text.normalize('NFKC').trim().toLowerCase()
  return plain(a) === plain(b)
}

function parseRequest(value: unknown): RestoreRequest | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const request = value as Partial<RestoreRequest>
  const { database, backup, storage, sha256, target, requestedBy, reason, requestedAt, expiresAt } = request
  const texts = [database, backup, storage, sha256, target, requestedBy, reason, requestedAt, expiresAt]
  return request.format === 1 && texts.every((text) => typeof text === 'string')
    ? (request as RestoreRequest)
    : undefined
}
