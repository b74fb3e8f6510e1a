import type { DeletePlan, KeepReason } from '@sqlite-backup/core'
import { formatBytes } from '../format.ts'
import type { AdminError } from '../web/admin-error.ts'
import type { Exchange } from '../web/exchange.ts'
import { type Html, html } from '../web/html.ts'
import { errorNotice, facts, link, moment, momentAndAge, notice, tierText } from './parts.ts'

const reasonTexts: Readonly<Partial<Record<KeepReason, string>>> = {
  newest: 'it is the newest backup',
  'newest-checked': 'it is the newest backup whose bytes were checked',
  kept: 'it is kept for good: stop keeping it first',
  fork: 'it is the end of a branch that nothing else holds',
  'in-use': 'it is being read right now',
}

export interface DeletePageOptions {
  readonly plan: DeletePlan
  readonly problem?: AdminError | undefined
}

/** What a deletion would take away, and the way to do it. */
export function deletePage({ base, admin }: Exchange, { plan, problem }: DeletePageOptions): Html {
  const { id, database, created, tier, storages } = plan
  const query = admin.engine.databases.length > 1 ? { db: database } : {}
  const held = storages.filter(({ heldBy }) => heldBy.length > 0)
  return html`<p class="crumbs"><a href="${link(base, '/backups', query)}">Backups</a> <span aria-hidden="true">/</span> <a href="${link(base, `/backups/${id}`, query)}">${moment(created)}</a> <span aria-hidden="true">/</span></p>
<h1>Delete a backup of ${database}</h1>
<p class="lead">${held.length > 0 ? 'It cannot be deleted now.' : 'Nothing is deleted until you confirm below.'}</p>
${problem !== undefined && errorNotice(problem)}
<section aria-labelledby="plan"><h2 id="plan">What would go</h2>
${facts([
  ['Backup', html`${momentAndAge(created, admin.now().getTime())} <code>${id}</code>`],
  ['Kept as', tierText(tier)],
  ...storages.map(
    ({ storage, storedSizeBytes }) =>
      [`From ${storage}`, `${formatBytes(storedSizeBytes)}, with what is known about it`] as const,
  ),
])}</section>
${
  held.length > 0
    ? notice(
        'warning',
        html`<p><strong>It has to stay.</strong></p><ul>${held.map(({ storage, heldBy }) => html`<li>In ${storage} ${heldBy.map((reason) => reasonTexts[reason] ?? reason).join(', and ')}.</li>`)}</ul>`,
      )
    : html`<section class="card danger" aria-labelledby="confirm-delete"><h2 id="confirm-delete">Delete it for ever</h2>
<p>Nobody can bring it back, unless the storage itself keeps versions.</p>
<form method="post" action="${link(base, `/delete/${id}`, query)}">
<label for="confirm">Type <strong>${database}</strong> to confirm</label>
<input id="confirm" name="confirm" required autocomplete="off" autocapitalize="off" spellcheck="false" data-must-equal="${database}">
<label for="reason">Reason, for the audit log</label>
<input id="reason" name="reason" maxlength="500" autocomplete="off">
<button class="danger">Delete the backup</button>
</form></section>`
}
<p class="actions"><a class="button" href="${link(base, `/backups/${id}`, query)}">Back to the backup</a></p>`
}
