import type { Activity } from '../activity.ts'
import { formatBytes, formatSpan } from '../format.ts'
import type { Job } from '../jobs.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html } from '../web/html.ts'
import { errorNotice, facts, link, momentAndAge, notice } from './parts.ts'

const doing = { backup: 'Backing up', restore: 'Restoring', verify: 'Verifying' } as const
const done = { backup: 'Backup', restore: 'Restore', verify: 'Verification' } as const
const phases: Readonly<Record<string, string>> = {
  capture: 'reading the database',
  upload: 'storing',
  fetch: 'fetching',
  check: 'checking',
  publish: 'writing',
  verify: 'reading back',
}

/** Work in progress: bytes, and how long it should still take. */
export function progressCard({ kind, database, phase, doneBytes, totalBytes, remainingMs }: Activity): Html {
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
export function jobPage({ base, admin }: Exchange, job: Job): Html {
  const query = admin.engine.databases.length > 1 ? { db: job.database } : {}
  const running = admin.activity.running().filter((run) => run.database === job.database && run.kind === job.kind)
  const started: Activity = { runId: job.id, kind: job.kind, database: job.database, startedAt: job.startedAt }
  const nowMs = admin.now().getTime()
  return html`<div data-live="job"><h1>${done[job.kind]} of ${job.database}</h1>
${job.state === 'running' && (running.length === 0 ? [started] : running).map(progressCard)}
${
  job.result !== undefined &&
  html`${notice(job.result.warnings.length > 0 ? 'warning' : 'good', html`<p><strong>${job.result.message}</strong></p>${job.result.warnings.length > 0 && html`<ul>${job.result.warnings.map((warning) => html`<li>${warning}</li>`)}</ul>`}`)}`
}
${job.error !== undefined && errorNotice(job.error)}
${facts([
  ['Asked for by', job.actor],
  ['Started', momentAndAge(job.startedAt, nowMs)],
  job.endedAt !== undefined && ['Ended', momentAndAge(job.endedAt, nowMs)],
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
