import type { BackupSummaryEntry } from '@sqlite-backup/core'
import { formatAge, formatBytes } from '../format.ts'
import { type Html, html, type Markup } from '../web/html.ts'
import { keptTag, levelMark, link, moment, sign, tierTag } from './parts.ts'

export interface BackupTableOptions {
  readonly base: string
  readonly nowMs: number
  /** For the links: which database and storage. */
  readonly query: Readonly<Record<string, string | undefined>>
  readonly caption: string
  /** What a row leads to. @default '/backups' */
  readonly path?: string
}

/** Backups, newest first. On a phone each row becomes a card. */
export function backupTable(
  items: readonly (BackupSummaryEntry & { readonly storage?: string })[],
  { base, nowMs, query, caption, path = '/backups' }: BackupTableOptions,
): Html {
  return html`<table class="cards">
<caption class="visually-hidden">${caption}</caption>
<thead><tr><th scope="col">Made</th><th scope="col">Kept as</th><th scope="col">Checked</th><th scope="col">Name</th><th scope="col" class="number">Size</th></tr></thead>
<tbody>${items.map(
    (item) => html`<tr>
<th scope="row"><a href="${link(base, `${path}/${item.id}`, item.storage === undefined ? query : { ...query, storage: item.storage })}">${moment(item.created)}</a> <span class="muted nowrap">${formatAge(nowMs - Date.parse(item.created))}</span></th>
<td>${tierTag(item.tier)}${item.marks?.isKept === true && html` ${keptTag()}`}</td>
<td>${markOf(item)}</td>
<td class="free">${item.name === undefined ? html`<span class="muted" aria-hidden="true">–</span>` : item.name}</td>
<td class="number">${formatBytes(item.storedSizeBytes)}</td>
</tr>`,
  )}</tbody>
</table>`
}

function markOf({ marks }: BackupSummaryEntry): Markup {
  if (marks?.isBad === true) return html`<span class="state bad">${sign('bad')} damaged</span>`
  return marks?.level !== undefined && levelMark(marks.level)
}
