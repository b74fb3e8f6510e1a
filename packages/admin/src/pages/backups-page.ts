import type { BackupList, Tier } from '@sqlite-backup/core'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html } from '../web/html.ts'
import { backupTable } from './backup-table.ts'
import { levelLegend, link, momentOfId, notice, tierText } from './parts.ts'

export const tiers: readonly Tier[] = [
  'recent',
  'hourly',
  'daily',
  'weekly',
  'monthly',
  'yearly',
  'manual',
  'pre-migration',
  'pre-restore',
  'shutdown',
  'milestone',
]

export interface BackupsFilter {
  readonly tier?: Tier
  readonly name?: string
  readonly since?: string
  readonly until?: string
  readonly storage?: string
}

/** All backups, a page at a time, with filters that are part of the address. */
export function backupsPage(exchange: Exchange, list: BackupList, filter: BackupsFilter): Html {
  const { base, admin, access } = exchange
  const { databases, storages } = admin.engine
  const isFiltered = [filter.tier, filter.name, filter.since, filter.until].some((each) => each !== undefined)
  const query = { ...(databases.length > 1 ? { db: list.database } : {}), storage: filter.storage }
  return html`<div class="row"><h1>Backups of ${list.database}</h1>
${access.can('backup') && html`<form method="post" action="${link(base, '/backups', query)}" class="inline"><label class="visually-hidden" for="name">Name of the backup</label><input id="name" name="name" placeholder="Name, if you like" maxlength="100" pattern="[A-Za-z0-9][A-Za-z0-9._\\-]*" autocomplete="off"><button class="primary">Back up now</button></form>`}
</div>
<form method="get" action="${base}/backups" class="filters" role="search" aria-label="Filter backups">
${databases.length > 1 && html`<input type="hidden" name="db" value="${list.database}">`}
<label>Kept as <select name="tier"><option value="">anything</option>${tiers.map((tier) => html`<option value="${tier}"${filter.tier === tier && html` selected`}>${tierText(tier)}</option>`)}</select></label>
<label>From (UTC) <input type="date" name="since" value="${filter.since ?? ''}"></label>
<label>To (UTC) <input type="date" name="until" value="${filter.until ?? ''}"></label>
${storages.length > 1 && html`<label>Storage <select name="storage">${storages.map((name) => html`<option${name === list.storage && html` selected`}>${name}</option>`)}</select></label>`}
<button>Filter</button>
<a href="${link(base, '/backups', query)}">Clear</a>
</form>
${list.fork !== undefined && notice('warning', html`<p><strong>The history has split: two apps went on from one backup.</strong> The newest of each: ${list.fork.map((id, index) => html`${index > 0 && ' and '}<a class="nowrap" href="${link(base, `/backups/${id}`, query)}">${momentOfId(id)}</a>`)}. Only one of them is what the app has now; both stay.</p>`)}
${
  list.items.length === 0
    ? html`<p class="empty">${isFiltered ? 'No backup matches.' : 'There is no backup yet.'}</p>`
    : backupTable(list.items, {
        base,
        nowMs: admin.now().getTime(),
        query: { ...query, storage: list.storage },
        caption: `Backups of ${list.database} in ${list.storage}`,
      })
}
${list.items.length > 0 && levelLegend()}
<nav class="pager" aria-label="Pages">${list.cursor !== undefined && html`<a class="button" href="${link(base, '/backups', { ...query, ...filter, cursor: list.cursor })}">Older</a>`}<span class="muted">Storage: ${list.storage}</span></nav>`
}
