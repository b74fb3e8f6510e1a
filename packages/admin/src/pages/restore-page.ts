import type { RestorePlan } from '@sqlite-backup/core'
import type { ComparisonAnswer } from '../actions/compare-backup.ts'
import { formatBytes, formatSpan } from '../format.ts'
import type { AdminError } from '../web/admin-error.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html } from '../web/html.ts'
import { comparisonSection } from './comparison.ts'
import { errorNotice, facts, link, moment, momentAndAge, notice, sentence } from './parts.ts'

const howTexts = {
  'new-file': 'written as a new file',
  link: 'the database is missing: the restored one appears whole',
  online: 'into the live database, while the app stays connected',
  replace: 'the file is replaced; the app has to be stopped first',
} as const

export interface RestorePageOptions {
  readonly plan: RestorePlan
  readonly comparison: ComparisonAnswer
  /** What was wrong with the attempt before. */
  readonly problem?: AdminError | undefined
  readonly reason?: string | undefined
}

/** What a restore would do, and the two ways to do it. */
export function restorePage({ base, admin, access }: Exchange, options: RestorePageOptions): Html {
  const { plan, comparison, problem, reason = '' } = options
  const { manifest, targetSizeBytes, refusal } = plan
  const { database } = manifest
  const nowMs = admin.now().getTime()
  const query = { ...(admin.engine.databases.length > 1 ? { db: database } : {}), storage: plan.storage }
  const action = link(base, `/restore/${plan.id}`, query)
  const isLive = plan.how === 'online' || plan.how === 'replace'
  const two = admin.approvals === 2
  // Who approves what another one asked for looks at the same plan, without the buttons.
  const mayAsk = access.can('restore:request')
  return html`<p class="crumbs">${mayAsk ? html`<a href="${link(base, '/restore', query)}">Restore</a>` : html`<a href="${link(base, '/approvals', query)}">Approvals</a>`} <span aria-hidden="true">/</span> <a href="${link(base, `/backups/${plan.id}`, query)}">${moment(manifest.created)}</a> <span aria-hidden="true">/</span></p>
<h1>Restore ${database}</h1>
<p class="lead">As it was at <strong>${momentAndAge(manifest.created, nowMs)}</strong>. ${mayAsk ? 'Nothing is changed until you confirm below.' : 'Looking changes nothing.'}</p>
${problem !== undefined && errorNotice(problem)}
${refusal !== undefined && errorNotice(refusal)}
${comparisonSection(
  comparison,
  html`<form method="post" action="${link(base, `/backups/${plan.id}/compare`, query)}"><button>Compare now</button></form>`,
)}
<section aria-labelledby="plan"><h2 id="plan">What would happen</h2>
${plan.notes.length > 0 && notice('info', html`<ul>${plan.notes.map((note) => html`<li>${sentence(note)}</li>`)}</ul>`)}
${facts([
  [
    'Size',
    targetSizeBytes === undefined
      ? formatBytes(manifest.plain.sizeBytes)
      : `${formatBytes(targetSizeBytes)} now, ${formatBytes(manifest.plain.sizeBytes)} after`,
  ],
  // The plan says it in whole seconds, too.
  plan.pauseMs !== undefined && ['Writers wait', `about ${formatSpan(Math.ceil(plan.pauseMs / 1000) * 1000)}`],
  ['How', howTexts[plan.how]],
  ['From', html`${plan.storage} <span class="muted">${formatBytes(manifest.stored.sizeBytes)} to fetch</span>`],
  ['To', html`<code>${plan.target}</code>`],
  ['Disk', `needs ${formatBytes(plan.needsBytes)}, ${formatBytes(plan.freeBytes)} are free`],
  ['Backup', html`<code>${plan.id}</code>`],
])}
</section>
${
  mayAsk
    ? html`<div class="grid two">
<section class="card danger" aria-labelledby="inplace"><h2 id="inplace">${isLive ? 'Replace the database' : 'Bring the database back'}</h2>
<p>${two ? 'Another person has to approve within 30 minutes. Then ' : ''}${isLive ? `${two ? 'what' : 'What'} was written since the backup leaves the database. It is backed up first, so this can be undone by another restore.` : `${two ? 'the' : 'The'} database appears where the app expects it.`}</p>
<form method="post" action="${action}">
<input type="hidden" name="to" value="database"><input type="hidden" name="sha256" value="${manifest.stored.sha256}">
<label for="confirm">Type <strong>${database}</strong> to confirm</label>
<input id="confirm" name="confirm" required autocomplete="off" autocapitalize="off" spellcheck="false" data-must-equal="${database}">
<label for="reason">Reason, for the audit log</label>
<input id="reason" name="reason" maxlength="500" value="${reason}" autocomplete="off">
<button class="danger">${two ? 'Ask for approval' : `Restore ${database}`}</button>
</form></section>
<section class="card" aria-labelledby="tofile"><h2 id="tofile">Look into it first</h2>
<p>The backup is written as a new file beside the database. The app does not notice.</p>
<form method="post" action="${action}"><input type="hidden" name="to" value="file"><input type="hidden" name="sha256" value="${manifest.stored.sha256}"><button>Restore to a file</button></form>
</section>
</div>`
    : html`<p class="actions"><a class="button primary" href="${link(base, '/approvals', query)}">Back to the approvals</a></p>`
}`
}
