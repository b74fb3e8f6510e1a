import type { BackupDetails, VerifyRecord } from '@sqlite-backup/core'
import { formatAge, formatBytes, formatDuration, plural } from '../format.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html } from '../web/html.ts'
import { facts, keptTag, levelMark, link, moment, momentAndAge, notice, sign, tierTag } from './parts.ts'

const triggerTexts = {
  schedule: 'the schedule',
  manual: 'hand',
  migration: 'a migration',
  restore: 'a restore',
  shutdown: 'the shutdown',
  boot: 'the start of the app',
} as const

/** Everything known about one backup, and what can be done with it. */
export function backupPage(exchange: Exchange, { manifest, storage, records, kept }: BackupDetails): Html {
  const { base, admin, access } = exchange
  const nowMs = admin.now().getTime()
  const query = { ...(admin.engine.databases.length > 1 ? { db: manifest.database } : {}), storage }
  const { plain, stored, source, lineage, engine } = manifest
  const tables = records.findLast((record) => record.tables !== undefined)
  const path = `/backups/${manifest.id}`
  return html`<p class="crumbs"><a href="${link(base, '/backups', query)}">Backups</a> <span aria-hidden="true">/</span></p>
<div class="row"><h1>${moment(manifest.created)} ${manifest.name !== undefined && html`<span class="muted">${manifest.name}</span>`}</h1><span>${tierTag(manifest.tier)}${kept && html` ${keptTag()}`}</span></div>
<p class="lead">${manifest.database}, ${formatAge(nowMs - Date.parse(manifest.created))}, made by ${triggerTexts[manifest.trigger]}${manifest.actor !== undefined && html` (${manifest.actor})`}.</p>
<div class="actions">
${access.can('restore:request') && html`<a class="button primary" href="${link(base, `/restore/${manifest.id}`, query)}">Restore…</a>`}
${
  access.can('download') &&
  html`<form method="post" action="${link(base, `${path}/download`, query)}"><button name="form" value="database">Download the database</button></form>`
}
${
  access.can('backup') &&
  html`<form method="post" action="${link(base, `${path}/keep`, query)}"><input type="hidden" name="keep" value="${kept ? 'no' : 'yes'}"><button>${kept ? 'No longer keep for good' : 'Keep for good'}</button></form>`
}
${access.can('delete') && html`<a class="button delete" href="${link(base, `/delete/${manifest.id}`, query)}">Delete…</a>`}
</div>
<section class="card" aria-labelledby="checks"><h2 id="checks">Is it good?</h2>
${records.length === 0 ? html`<p>${levelMark('stored')} and not checked since.</p>` : html`<ul class="plain">${[...records].reverse().map((record) => html`<li>${recordLine(record, nowMs)}</li>`)}</ul>`}
${
  access.can('backup') &&
  html`<form method="post" action="${link(base, `${path}/verify`, query)}" class="choices">
<p><button name="level" value="checked">Check</button> <span>reads its bytes back and compares them</span></p>
<p><button name="level" value="proven">Prove</button> <span>restores it to a scratch place, where SQLite looks at it</span></p></form>`
}
</section>
${
  tables?.tables !== undefined &&
  html`<section aria-labelledby="tables"><h2 id="tables">Tables</h2>
<table><caption class="visually-hidden">Rows per table</caption><thead><tr><th scope="col">Table</th><th scope="col" class="number">Rows</th></tr></thead>
<tbody>${Object.entries(tables.tables).map(([table, rows]) => html`<tr><th scope="row">${table}</th><td class="number">${rows.toLocaleString('en')}</td></tr>`)}</tbody></table></section>`
}
<section aria-labelledby="facts"><h2 id="facts">Details</h2>
${facts([
  ['Id', html`<code>${manifest.id}</code>`],
  ['Made', momentAndAge(manifest.created, nowMs)],
  ['Size', `${formatBytes(plain.sizeBytes)}, stored as ${formatBytes(stored.sizeBytes)} (${manifest.compression})`],
  [
    'Encrypted',
    manifest.encryption === undefined
      ? 'no'
      : Array.isArray(manifest.encryption.recipients)
        ? `yes, with age, for ${plural(manifest.encryption.recipients.length, 'key')}`
        : 'yes, with age, by a passphrase',
  ],
  ['Storage', html`${storage} <span class="muted">${admin.engine.storage(storage).name}</span>`],
  [
    'File',
    html`<code>${manifest.body}</code>${access.can('download') && html`<form method="post" action="${link(base, `${path}/download`, query)}"><button class="slim" name="form" value="stored">Download as stored</button></form>`}`,
  ],
  lineage.environment !== undefined && ['Environment', lineage.environment],
  manifest.appVersion !== undefined && ['App version', manifest.appVersion],
  source.migration !== undefined && ['Newest migration', source.migration],
  lineage.parent !== undefined && [
    'The one before',
    html`<a href="${link(base, `/backups/${lineage.parent}`, query)}"><code>${lineage.parent}</code></a>`,
  ],
  [
    'Database',
    `${plural(source.pageCount, 'page')} of ${source.pageSize} bytes, ${source.journalMode === 'wal' ? 'WAL' : 'rollback journal'}`,
  ],
  ['Written by', `sqlite-backup ${engine.version}, SQLite ${engine.sqlite}, Node ${engine.node}`],
  ['SHA-256, stored', html`<code class="hash">${stored.sha256}</code>`],
  ['SHA-256, database', html`<code class="hash">${plain.sha256}</code>`],
])}
</section>`
}

function recordLine(record: VerifyRecord, nowMs: number): Html {
  const when = momentAndAge(record.at, nowMs)
  if (record.outcome === 'failed') {
    const why = record.error?.message ?? record.messages?.[0] ?? 'It is not what it should be.'
    return notice('bad', html`<p><strong>Failed to be ${record.level}.</strong> ${why}</p><p>${when}</p>`)
  }
  const counts = Object.values(record.tables ?? {})
  const rows = counts.reduce((sum, count) => sum + count, 0)
  return html`${levelMark(record.level)} in ${formatDuration(record.durationMs)}, ${when}${
    record.integrity === 'damaged' && html` ${sign('warning')} damaged when it was backed up`
  }${record.integrity === 'unknown' && html` (SQLite could not check all of it)`}${
    counts.length > 0 && html`<span class="muted">, ${plural(counts.length, 'table')}, ${plural(rows, 'row')}</span>`
  }`
}
