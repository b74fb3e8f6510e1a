import type { Activity } from '../activity.ts'
import { formatBytes, formatSpan } from '../format.ts'
import type { Job, JobKind } from '../jobs.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html } from '../web/html.ts'
import { comparisonTable } from './comparison.ts'
import { errorNotice, facts, link, momentAndAge, notice } from './parts.ts'

const doing = {
  backup: 'Backing up',
  restore: 'Restoring',
  verify: 'Verifying',
  compare: 'Comparing with a backup',
} as const
const done = { backup: 'Backup', restore: 'Restore', verify: 'Verification', compare: 'Comparison' } as const

export function jobTitle(kind: JobKind): string {
  return done[kind]
}

/** What a process that ended before its time leaves behind. */
const interruptedTexts: Readonly<Record<JobKind, string>> = {
  backup: 'A backup exists only when it is whole, so nothing half-done is in the list. Start it again.',
  restore:
    'The database is the old or the new one, whole: the next start finishes or undoes what was begun. Look at the newest backups before you try again.',
  verify: 'Nothing was found out. Start it again.',
  compare: 'Nothing was changed. Start it again.',
}

const phases: Readonly<Record<string, string>> = {
  capture: 'reading the database',
  upload: 'storing',
  fetch: 'fetching',
  check: 'checking',
  publish: 'writing',
  verify: 'reading back',
}

/** Work in progress: bytes, and how long it should still take. */
export function progressCard({
  kind,
  database,
  phase,
  doneBytes,
  totalBytes,
  remainingMs,
}: Omit<Activity, 'kind'> & { readonly kind: JobKind }): Html {
  const isMeasured = doneBytes !== undefined && totalBytes !== undefined && totalBytes > 0
  const text = [
    phase === undefined ? undefined : (phases[phase] ?? phase),
    isMeasured ? `${formatBytes(doneBytes)} of ${formatBytes(totalBytes)}` : undefined,
    remainingMs === undefined ? undefined : `about ${formatSpan(remainingMs)} left`,
  ].filter((part) => part !== undefined)
  const title = `${doing[kind]} ${database}`
  return html`<div class="notice info progress"><div>
<p><strong>${title}</strong>${text.length > 0 && html` <span class="muted">${text.join(', ')}</span>`}</p>
${isMeasured ? html`<progress max="${totalBytes}" value="${Math.min(doneBytes, totalBytes)}" aria-label="${title}"></progress>` : html`<progress aria-label="${title}"></progress>`}
</div></div>`
}

/** How something that was started here goes on. */
export function jobPage({ base, admin, access }: Exchange, job: Job): Html {
  const query = admin.engine.databases.length > 1 ? { db: job.database } : {}
  const running = admin.activity.running().filter((run) => run.database === job.database && run.kind === job.kind)
  const started = { runId: job.id, kind: job.kind, database: job.database, startedAt: job.startedAt }
  const nowMs = admin.now().getTime()
  return html`<div data-live="job"><h1>${jobTitle(job.kind)} of ${job.database}</h1>
${job.state === 'running' && (running.length === 0 ? [started] : running).map(progressCard)}
${
  job.result !== undefined &&
  job.result.comparison === undefined &&
  html`${notice(job.result.warnings.length > 0 ? 'warning' : 'good', html`<p><strong>${job.result.message}</strong></p>${job.result.warnings.length > 0 && html`<ul>${job.result.warnings.map((warning) => html`<li>${warning}</li>`)}</ul>`}`)}`
}
${job.error !== undefined && errorNotice(job.error)}
${job.state === 'interrupted' && notice('warning', html`<p><strong>It was interrupted: the process that did it ended before it was done.</strong> ${interruptedTexts[job.kind]}</p>`)}
${job.result?.comparison !== undefined && comparisonTable(job.result.comparison)}
${
  job.kind === 'compare' &&
  job.state === 'succeeded' &&
  job.backup !== undefined &&
  (access.can('restore:request') || access.can('restore:approve')) &&
  html`<p class="actions"><a class="button primary" href="${link(base, `/restore/${job.backup}`, query)}">${access.can('restore:request') ? 'Go on to the restore…' : 'Back to the plan'}</a></p>`
}
${facts([
  ['Asked for by', job.actor],
  ['Started', momentAndAge(job.startedAt, nowMs)],
  job.endedAt !== undefined && [
    job.state === 'interrupted' ? 'Last heard of' : 'Ended',
    momentAndAge(job.endedAt, nowMs),
  ],
  job.backup !== undefined && [
    'Backup',
    html`<a href="${link(base, `/backups/${job.backup}`, query)}"><code>${job.backup}</code></a>`,
  ],
  job.result?.backup !== undefined &&
    job.result.backup !== job.backup && [
      'Backup',
      html`<a href="${link(base, `/backups/${job.result.backup}`, query)}"><code>${job.result.backup}</code></a>`,
    ],
])}
<p class="actions"><a class="button" href="${link(base, '/', query)}">Overview</a></p>
${job.state === 'running' && html`<p class="muted">It goes on when you leave this page.</p>`}
</div>`
}
