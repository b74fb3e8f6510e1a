import type { StorageStatus } from '@sqlite-backup/core'
import { barChart } from '../charts/bar-chart.ts'
import { isSilent, noBackup, type Safety } from '../facts/describe-safety.ts'
import type { Overview } from '../facts/read-overview.ts'
import { formatAge, formatBytes, formatMoment } from '../format.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html, type Markup } from '../web/html.ts'
import { backupTable } from './backup-table.ts'
import { progressCard } from './job-page.ts'
import { levelLegend, levelMark, link, moment, notice, sentence, sign } from './parts.ts'

/** One look: how safe the data is, and what to do about it. */
export function overviewPage(exchange: Exchange, overview: Overview): Html {
  const { base, access, admin } = exchange
  const { database, safety, storages, running, newest, lastFailure } = overview
  const query = admin.engine.databases.length > 1 ? { db: database } : {}
  const nowMs = Date.parse(overview.at)
  const latest = newest[0]
  return html`<div data-live="overview">
<section class="hero ${safety.level}" aria-labelledby="headline">
${sign(safety.level)}
<div>
<p class="eyebrow">${database}</p>
<h1 id="headline">${headline(safety)}</h1>
<p class="lead">${safety.loss}</p>
<p class="next">${safety.stop !== undefined && html`${safety.stop}<br>`}${overview.next === undefined ? 'No schedule: backups are made by hand only.' : html`Next backup at <span class="nowrap">${moment(overview.next.at)}</span>${storages.every(({ beat }) => beat === undefined) && ', if the app runs its schedules: none was heard of yet'}.`}</p>
<div class="actions">
${
  access.can('backup') &&
  html`<form method="post" action="${link(base, '/backups', query)}"><button class="primary">Back up now</button></form>`
}
${latest !== undefined && access.can('restore:request') && html`<a class="button" href="${link(base, '/restore', query)}">Restore…</a>`}
${
  access.can('download') &&
  html`<form method="post" action="${link(base, '/download', query)}"><button>Download the database</button></form>`
}
</div>
</div>
</section>
${overview.waiting.map(({ requestedBy, reason }) =>
  notice(
    'info',
    html`<p><strong>${requestedBy} asks to restore ${database}.</strong>${reason !== '' && html` “${reason}”`} <a href="${link(base, '/approvals', query)}">Look at the request</a></p>`,
  ),
)}
${overview.brokeGlass.map(({ requestedBy, reason, requestedAt }) =>
  notice(
    'bad',
    html`<p><strong>${requestedBy} restored ${database} alone ${formatAge(nowMs - Date.parse(requestedAt))}, without the second person this needs.</strong> “${reason}” <a href="${link(base, '/audit', query)}">Audit log</a></p>`,
  ),
)}
${overview.interrupted.map(({ id, kind, startedAt }) =>
  notice(
    'warning',
    html`<p><strong>A ${kind} that began ${formatAge(nowMs - Date.parse(startedAt))} was interrupted.</strong> <a href="${link(base, `/jobs/${id}`, query)}">What that means</a></p>`,
  ),
)}
${overview.warnings.map((warning) => notice('warning', html`<p>${sentence(warning)}</p>`))}
${running.map((run) => progressCard(run))}
${
  lastFailure !== undefined &&
  notice(
    'warning',
    html`<p><strong>The last ${lastFailure.kind} failed ${formatAge(nowMs - Date.parse(lastFailure.at))}.</strong> ${lastFailure.message} <span class="muted small">${lastFailure.code}</span></p>`,
  )
}
<section aria-labelledby="storages"><h2 id="storages">Where the backups are</h2>
${
  storages.length === 0
    ? notice(
        'bad',
        html`<p><strong>No storage is configured.</strong> Add one under <code>storages</code> in the config.</p>`,
      )
    : html`<ul class="grid">${storages.map((storage) => storageCard(storage, exchange, query))}</ul>`
}
</section>
${
  latest === undefined
    ? isSilent(storages)
      ? html`<section class="empty"><h2>Nothing can be shown</h2><p>That says nothing about the backups themselves: they are listed again once their storage answers.</p></section>`
      : html`<section class="empty"><h2>No backups yet</h2><p>The first one takes as long as reading the database once. The app goes on working meanwhile.</p></section>`
    : html`<section aria-labelledby="sizes"><h2 id="sizes">Sizes of the last ${newest.length} backups</h2>
${barChart(
  [...newest]
    .reverse()
    .map(({ created, storedSizeBytes }) => ({ label: formatMoment(created), sizeBytes: storedSizeBytes })),
  {
    title: 'Size of each backup',
    first: moment(newest.at(-1)?.created ?? latest.created),
    last: moment(latest.created),
  },
)}</section>
<section aria-labelledby="newest"><div class="row"><h2 id="newest">Newest backups</h2><a href="${link(base, '/backups', query)}">All backups</a></div>
${backupTable(newest.slice(0, 6), { base, nowMs, query, caption: 'Newest backups' })}
${levelLegend()}
</section>`
}
</div>`
}

function headline({ headline: text, safeUntil }: Safety): Markup {
  if (safeUntil === undefined) return text
  const [before = '', after = ''] = text.split(formatMoment(safeUntil))
  // What follows at once stays on its line: no full stop stands alone.
  const [, dot = '', rest = ''] = /^([.,]?)(.*)$/s.exec(after) ?? []
  return [before, html`<span class="nowrap">${moment(safeUntil)}${dot}</span>`, rest]
}

function storageCard(
  { storage, healthy, newest, offsite, problems }: StorageStatus,
  { base, admin }: Exchange,
  query: Readonly<Record<string, string | undefined>>,
): Html {
  return html`<li class="card">
<div class="row"><h3>${storage}</h3>${healthy ? html`<span class="state good">${sign('good')} healthy</span>` : html`<span class="state bad">${sign('bad')} needs a look</span>`}</div>
<p class="muted small clip">${admin.engine.storage(storage).name}</p>
${
  newest !== undefined &&
  html`<p><a href="${link(base, `/backups/${newest.id}`, { ...query, storage })}">Newest ${formatAge(newest.ageMs)}</a>, ${formatBytes(newest.storedSizeBytes)}<br>${levelMark(newest.level)}${newest.verifiedAt !== undefined && html` <span class="muted">${formatAge(Date.parse(admin.now().toISOString()) - Date.parse(newest.verifiedAt))}</span>`}</p>`
}
${!offsite && html`<p class="small">${sign('warning')} On the same disk as the database: it is lost with it.</p>`}
${problems.map((problem) => html`<p class="problem">${newest === undefined && problem !== noBackup && html`<strong>It could not be read.</strong> `}${sentence(problem)}</p>`)}
</li>`
}
