import { sizeChart } from '../charts/size-chart.ts'
import type { StorageUse } from '../facts/read-storage-use.ts'
import { formatBytes, plural } from '../format.ts'
import { type Html, html } from '../web/html.ts'
import { moment, notice, tierText } from './parts.ts'

/** What the storages hold, and how sizes went. */
export function storagePage(database: string, uses: readonly StorageUse[]): Html {
  return html`<h1>Storage use of ${database}</h1>
${uses.map(
  (
    use,
    index,
  ) => html`<section class="card" aria-labelledby="use-${index}"><div class="row"><h2 id="use-${index}">${use.storage}</h2>${use.problem === undefined && html`<span class="big">${formatBytes(use.sizeBytes)}</span>`}</div>
<p class="muted clip">${use.description}</p>
${
  use.problem !== undefined
    ? notice('bad', html`<p><strong>It could not be read.</strong> ${use.problem}</p>`)
    : use.count === 0
      ? html`<p class="empty">Nothing yet.</p>`
      : html`<p>${plural(use.count, 'backup')}${use.oldest !== undefined && html`, the oldest from ${moment(use.oldest)}`}</p>
<h3>Size of the last backup of each day</h3>
${sizeChart(
  use.days.map(({ day, sizeBytes }) => ({ label: day, atMs: Date.parse(day), sizeBytes })),
  'Size of the last backup of each day',
)}
<table><caption class="visually-hidden">Backups by tier</caption><thead><tr><th scope="col">Kept as</th><th scope="col" class="number">Backups</th><th scope="col" class="number">Size</th></tr></thead><tbody>
${use.tiers.map(({ tier, count, sizeBytes }) => html`<tr><th scope="row" class="nowrap">${tierText(tier)}</th><td class="number">${count.toLocaleString('en')}</td><td class="number">${formatBytes(sizeBytes)}</td></tr>`)}
</tbody></table>`
}
</section>`,
)}`
}
