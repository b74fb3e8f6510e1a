import type { RestoreRequestReport } from '../actions/restore-request.ts'
import { isSameActor } from '../actions/restore-request.ts'
import { formatSpan } from '../format.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html } from '../web/html.ts'
import { facts, link, momentAndAge, momentOfId, sign, type Tone } from './parts.ts'

const stateTexts = {
  waiting: 'waiting for another person',
  approved: 'approved',
  denied: 'denied',
  expired: 'expired',
  'broke-glass': 'done alone, without approval',
} as const

function toneOf(state: RestoreRequestReport['state']): Tone {
  if (state === 'approved') return 'good'
  return state === 'waiting' ? 'info' : state === 'broke-glass' ? 'bad' : 'warning'
}

/** Restores that were asked for, and what became of them. */
export function approvalsPage(exchange: Exchange, requests: readonly RestoreRequestReport[]): Html {
  // What somebody waits for comes first.
  const sorted = [...requests].sort((a, b) => Number(b.state === 'waiting') - Number(a.state === 'waiting'))
  return html`<div data-live="approvals"><h1>Approvals</h1>
<p class="lead">A restore needs two people here: one asks, another approves within 30 minutes.</p>
${requests.length === 0 ? html`<p class="empty">Nobody has asked for a restore in the last two days.</p>` : html`<ul class="plain stack">${sorted.map((request) => html`<li>${requestCard(exchange, request)}</li>`)}</ul>`}
</div>`
}

function requestCard({ base, admin, access }: Exchange, request: RestoreRequestReport): Html {
  const nowMs = admin.now().getTime()
  const { id, database, state } = request
  const query = admin.engine.databases.length > 1 ? { db: database } : {}
  const isOwn = isSameActor(access.actor.id, request.requestedBy)
  const mayApprove = state === 'waiting' && access.can('restore:approve') && !isOwn
  const mayLook = state === 'waiting' && (access.can('restore:approve') || access.can('restore:request'))
  const mayDeny = state === 'waiting' && (mayApprove || (isOwn && access.can('restore:request')))
  return html`<article class="card">
<div class="row"><h2>Restore ${database}</h2><span class="state ${toneOf(state)}">${sign(toneOf(state))} ${stateTexts[state]}</span></div>
${facts([
  [
    state === 'broke-glass' ? 'Done by' : 'Asked for by',
    html`${request.requestedBy}, ${momentAndAge(request.requestedAt, nowMs)}`,
  ],
  request.reason !== '' && ['Reason', request.reason],
  [
    'Back to',
    html`<a href="${link(base, `/backups/${request.backup}`, { ...query, storage: request.storage })}">${momentOfId(request.backup)}</a> <span class="muted">${request.storage !== '' && `from ${request.storage}`}</span> <code class="muted">${request.backup}</code>`,
  ],
  ['To', html`<code>${request.target}</code>`],
  state === 'waiting' && ['Valid for', formatSpan(Date.parse(request.expiresAt) - nowMs)],
  request.decidedBy !== undefined &&
    request.decidedAt !== undefined && [
      'Decided by',
      html`${request.decidedBy}, ${momentAndAge(request.decidedAt, nowMs)}`,
    ],
])}
${
  (mayApprove || mayDeny || mayLook) &&
  html`<div class="actions">${mayLook && html`<a class="button" href="${link(base, `/restore/${request.backup}`, { ...query, storage: request.storage })}">See what it would change</a>`}${mayApprove && html`<form method="post" action="${link(base, `/approvals/${id}/approve`, query)}"><button class="danger">Approve and restore</button></form>`}${mayDeny && html`<form method="post" action="${link(base, `/approvals/${id}/deny`, query)}"><button>${isOwn ? 'Take it back' : 'Deny'}</button></form>`}</div>`
}
${state === 'waiting' && isOwn && html`<p class="muted">You asked for it, so somebody else has to approve.</p>`}
</article>`
}
