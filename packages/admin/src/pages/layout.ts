import { assetNames } from '../assets.ts'
import type { Access } from '../authorize.ts'
import { html, type Markup } from '../web/html.ts'
import { link } from './parts.ts'

export interface PageFrame {
  readonly base: string
  readonly title: string
  /** Which link of the navigation is this page. */
  readonly section?: 'overview' | 'backups' | 'restore' | 'storage' | 'jobs' | 'approvals' | 'audit'
  readonly database?: string
  readonly databases: readonly string[]
  readonly environment?: string | undefined
  readonly access: Access
  readonly approvals: 1 | 2
  /** Without script, look again after so many seconds. */
  readonly refreshSeconds?: number
}

/** A whole page around its content. */
export function page(frame: PageFrame, body: Markup): Response {
  const { base, title, section, database, databases, environment, access, approvals, refreshSeconds } = frame
  const query = databases.length > 1 ? { db: database } : {}
  const links = [
    ['overview', '/', 'Overview'],
    ['backups', '/backups', 'Backups'],
    ...(access.can('restore:request') ? ([['restore', '/restore', 'Restore']] as const) : []),
    ['storage', '/storage', 'Storage'],
    ['jobs', '/jobs', 'Jobs'],
    ...(approvals === 2 ? ([['approvals', '/approvals', 'Approvals']] as const) : []),
    ['audit', '/audit', 'Audit log'],
  ] as const
  const current = (name: string): Markup => name === section && html` aria-current="page"`
  const document = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex, nofollow">
<title>${title} · Backups</title>
<link rel="stylesheet" href="${base}/assets/${assetNames.style}">
<link rel="icon" href="${base}/assets/${assetNames.icon}" type="image/svg+xml">
<script type="module" src="${base}/assets/${assetNames.script}"></script>
${refreshSeconds !== undefined && html`<noscript><meta http-equiv="refresh" content="${refreshSeconds}"></noscript>`}
</head>
<body data-events="${base}/events">
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<div class="bar">
<a class="brand" href="${link(base, '/', query)}"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 2.5 20.5 6v6c0 5-3.6 8.4-8.5 9.8C7.1 20.4 3.5 17 3.5 12V6z"/><path class="tick" d="m8 12 2.8 2.8L16 9.5"/></svg>Backups</a>
${environment !== undefined && html`<span class="environment${environment === 'production' ? ' is-production' : ''}">${environment}</span>`}
<span class="actor" title="You act as ${access.actor.id}">${access.actor.name ?? access.actor.id}</span>
</div>
<nav class="bar" aria-label="Sections">${links.map(([name, path, text]) => html`<a href="${link(base, path, query)}"${current(name)}>${text}</a>`)}</nav>
${
  databases.length > 1 &&
  html`<nav class="bar databases" aria-label="Databases">${databases.map(
    (name) =>
      html`<a href="${link(base, section === undefined || section === 'overview' ? '/' : `/${section}`, { db: name })}"${name === database && html` aria-current="true"`}>${name}</a>`,
  )}</nav>`
}
</header>
<main id="main" tabindex="-1">
${body}
</main>
<p class="announce" role="status" aria-live="polite"></p>
</body>
</html>
`
  return new Response(document.text, { headers: { 'content-type': 'text/html; charset=utf-8' } })
}
