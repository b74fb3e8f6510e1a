import { formatAge } from '../format.ts'
import type { Job } from '../jobs.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html } from '../web/html.ts'
import { jobTitle } from './job-page.ts'
import { link, moment, sign } from './parts.ts'

const states = {
  running: ['info', 'running'],
  succeeded: ['good', 'done'],
  failed: ['bad', 'failed'],
  interrupted: ['warning', 'interrupted'],
} as const

/** What people started in the last two days, in this and other processes of the app. */
export function jobsPage({ base, admin }: Exchange, database: string, jobs: readonly Job[]): Html {
  const query = admin.engine.databases.length > 1 ? { db: database } : {}
  const nowMs = admin.now().getTime()
  return html`<div data-live="jobs"><h1>Jobs of ${database}</h1>
<p class="lead">What people started here in the last two days. Scheduled backups are under <a href="${link(base, '/backups', query)}">Backups</a>.</p>
${
  jobs.length === 0
    ? html`<p class="empty">Nobody has started anything.</p>`
    : html`<table class="cards"><caption class="visually-hidden">Jobs, newest first</caption><thead><tr><th scope="col">Started</th><th scope="col">What</th><th scope="col">Who</th><th scope="col">State</th><th scope="col">Result</th></tr></thead><tbody>
${jobs.map((job) => {
  const [tone, word] = states[job.state]
  return html`<tr><th scope="row"><a href="${link(base, `/jobs/${job.id}`, query)}">${moment(job.startedAt)}</a> <span class="muted nowrap">${formatAge(nowMs - Date.parse(job.startedAt))}</span></th><td>${jobTitle(job.kind)}</td><td class="free who">${job.actor}</td><td><span class="state ${tone}">${sign(tone)} ${word}</span></td><td class="free small">${job.result?.message ?? job.error?.message ?? (job.state === 'interrupted' && 'Its process ended before it was done.')}</td></tr>`
})}</tbody></table>`
}
</div>`
}
