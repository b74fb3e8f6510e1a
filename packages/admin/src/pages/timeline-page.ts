import { timelineChart } from '../charts/timeline-chart.ts'
import type { RestorePoints } from '../facts/list-restore-points.ts'
import { formatAge, formatMoment } from '../format.ts'
import type { AdminError } from '../web/admin-error.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html } from '../web/html.ts'
import { backupTable } from './backup-table.ts'
import { errorNotice, levelLegend, link, notice } from './parts.ts'

const DAY_MS = 86_400_000

export const spans = {
  day: { text: 'the last day', ms: DAY_MS, labels: 6 },
  week: { text: 'the last 7 days', ms: 7 * DAY_MS, labels: 7 },
  month: { text: 'the last 30 days', ms: 30 * DAY_MS, labels: 6 },
  year: { text: 'the last year', ms: 366 * DAY_MS, labels: 4 },
  all: { text: 'all time', ms: undefined, labels: 5 },
} as const

export type Span = keyof typeof spans

export interface TimelinePageOptions {
  readonly database: string
  readonly found: RestorePoints
  readonly span: Span
  /** The moment that was asked for, as it was typed. */
  readonly at?: string | undefined
  readonly problem?: AdminError | undefined
}

/** To which moment? Every restore point on a line, a field for a moment, and the newest at hand. */
export function timelinePage({ base, admin }: Exchange, options: TimelinePageOptions): Html {
  const { database, found, span, at, problem } = options
  const { points, hasMore, unread } = found
  const nowMs = admin.now().getTime()
  const query = admin.engine.databases.length > 1 ? { db: database } : {}
  const latest = points.find(({ marks }) => marks?.isBad !== true)
  const oldest = points.at(-1)
  const fromMs = spans[span].ms === undefined ? Date.parse(oldest?.created ?? '') || nowMs : nowMs - spans[span].ms
  const path = '/restore'
  return html`<div class="row"><h1>Restore ${database}</h1>${latest !== undefined && html`<a class="button primary" href="${link(base, `/restore/${latest.id}`, { ...query, storage: latest.storage })}">The newest, ${formatAge(nowMs - Date.parse(latest.created))}</a>`}</div>
<p class="lead">Choose the moment to go back to. You see what would change first; nothing happens before you confirm.</p>
${problem !== undefined && errorNotice(problem)}
${unread.map(({ storage, message }) => notice('warning', html`<p><strong>${storage} could not be read, so what only it has is missing here.</strong> ${message}</p>`))}
<form method="get" action="${base}${path}" class="filters" aria-label="Choose a moment">
${admin.engine.databases.length > 1 && html`<input type="hidden" name="db" value="${database}">`}
<label><span>The last backup at or before (<span data-zone>UTC</span>)</span> <input type="datetime-local" name="at" required value="${(at ?? '').slice(0, 16)}" data-utc></label>
<button>Find it</button>
</form>
<section aria-labelledby="points"><div class="row"><h2 id="points">Restore points of ${spans[span].text}</h2>
<nav class="segments" aria-label="How far back">${Object.keys(spans).map((name) => html`<a href="${link(base, path, { ...query, span: name })}"${name === span && html` aria-current="true"`}>${name}</a>`)}</nav></div>
${
  points.length === 0
    ? html`<p class="empty">${span === 'all' ? 'There is no backup yet.' : `There is no backup of ${spans[span].text}. Look further back.`}</p>`
    : html`<figure>${timelineChart(
        points.map(({ id, created, marks, storage }) => ({
          id,
          label: `${formatMoment(created)}${marks?.isBad === true ? ' (damaged)' : ''}`,
          atMs: Date.parse(created),
          href: link(base, `/restore/${id}`, { ...query, storage }),
          isProven: marks?.level === 'proven',
        })),
        fromMs,
        nowMs,
        spans[span].labels,
      )}<figcaption><span>Each line is a backup, the long ones are proven.</span>${span === 'day' && html`<span>Times are <span data-zone>UTC</span>.</span>`}</figcaption></figure>
${backupTable(points.slice(0, MAX_ROWS), { base, nowMs, query, path, caption: `Restore points of ${database}` })}
${levelLegend()}
${points.length > MAX_ROWS && html`<p class="muted">Older ones are on the line above, and under <a href="${link(base, '/backups', query)}">Backups</a>.</p>`}
${hasMore && html`<p class="muted">These are the newest ${points.length.toLocaleString('en')}. For older ones, name the moment.</p>`}`
}
</section>`
}

const MAX_ROWS = 15
