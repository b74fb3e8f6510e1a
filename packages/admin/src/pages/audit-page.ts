import { type AuditEntry, type AuditReport, describeAction } from '@sqlite-backup/core'
import { plural } from '../format.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html, type Markup } from '../web/html.ts'
import { link, momentAndAge, momentOfId, notice } from './parts.ts'

/** Who did what, and whether the log is as it was written. */
export function auditPage({ base, admin }: Exchange, database: string, report: AuditReport): Html {
  const nowMs = admin.now().getTime()
  const query = admin.engine.databases.length > 1 ? { db: database } : {}
  const { entries, problems, hasMore, unread } = report
  return html`<h1>Audit log of ${database}</h1>
${unread.map(({ storage, message }) => notice('warning', html`<p><strong>${storage} could not be read, so what stands there is missing here.</strong> ${message}</p>`))}
${
  problems.length > 0
    ? notice(
        'bad',
        html`<p><strong>The log is not as it was written.</strong></p><ul>${problems.slice(0, 20).map(({ writer, seq, kind }) => html`<li>Entry ${seq} of <code>${writer}</code> was ${kind}.</li>`)}</ul>`,
      )
    : entries.length > 0 &&
      unread.length === 0 &&
      notice(
        'good',
        html`<p>${hasMore ? 'The newest entries are' : `All ${plural(entries.length, 'entry').replace('entrys', 'entries')} are`} as they were written: each holds the fingerprint of the one before.</p>`,
      )
}
${
  entries.length === 0
    ? html`<p class="empty">Nothing was done through this page yet.</p>`
    : html`<table class="cards"><caption class="visually-hidden">Actions, newest first</caption><thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">More</th></tr></thead><tbody>
${entries.map(
  (entry) =>
    html`<tr><th scope="row">${momentAndAge(entry.at, nowMs)}</th><td class="free who">${entry.actor}</td><td>${entry.action === 'restore.broke-glass' ? html`<strong class="loss">${describeAction(entry.action)}</strong>` : describeAction(entry.action)}${entry.backup !== undefined && html`<br><a class="small" href="${link(base, `/backups/${entry.backup}`, query)}" title="${entry.backup}">backup of <span class="nowrap">${momentOfId(entry.backup)}</span></a>`}</td><td class="small free">${detailText(entry)}</td></tr>`,
)}</tbody></table>`
}
${hasMore && html`<p class="muted">Older entries are in the storage, under <code>audit/</code>.</p>`}`
}

const detailNames: Readonly<Record<string, string>> = {
  requestedBy: 'asked for by',
  safetyBackup: 'what was there before',
}

function detailText({ detail = {} }: AuditEntry): Markup {
  return Object.entries(detail).map(
    ([name, value], at) =>
      html`${at > 0 && html`<br>`}<span class="muted">${detailNames[name] ?? name}:</span> ${value}`,
  )
}
