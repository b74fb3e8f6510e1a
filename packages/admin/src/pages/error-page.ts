import type { AdminError } from '../web/admin-error.ts'
import { type Html, html } from '../web/html.ts'
import { errorNotice, link } from './parts.ts'

/** `again`: this very address can be asked for once more. */
export function errorPage(base: string, error: AdminError, again: boolean): Html {
  const title = error.status === 404 ? 'Not found' : error.status === 403 ? 'Not allowed' : 'That did not work'
  return html`<h1>${title}</h1>${errorNotice(error)}<p class="actions">${again && error.status >= 500 && html`<a class="button primary" href="">Try again</a>`}<a class="button" href="${link(base, '/')}">Overview</a></p>`
}
