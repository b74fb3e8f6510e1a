import type { CheckLevel, SerializedError, Tier } from '@sqlite-backup/core'
import { formatAge, formatMoment } from '../format.ts'
import { type Html, html, type Markup } from '../web/html.ts'

/** A moment in UTC; the script adds the reader's own time. */
export function moment(iso: string): Html {
  return html`<time datetime="${iso}" data-moment>${formatMoment(iso)}</time>`
}

/** When a backup was made, which its id begins with. */
export function momentOfId(id: string): Html {
  return moment(id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z.*$/, '$1-$2-$3T$4:$5:$6.000Z'))
}

export function momentAndAge(iso: string, nowMs: number): Html {
  return html`${moment(iso)} <span class="muted nowrap">${formatAge(nowMs - Date.parse(iso))}</span>`
}

const levelTexts: Readonly<Record<CheckLevel, { readonly word: string; readonly means: string }>> = {
  stored: { word: 'stored', means: 'the storage has it' },
  checked: { word: 'checked', means: 'its bytes were read back and compared' },
  proven: { word: 'proven', means: 'it was restored, and SQLite found it whole' },
}

/** Never by colour alone: a sign and a word. */
export function levelMark(level: CheckLevel): Html {
  const { word, means } = levelTexts[level]
  const steps = { stored: 1, checked: 2, proven: 3 }[level]
  return html`<span class="mark level-${level}" title="${means}"><span aria-hidden="true">${'✓'.repeat(steps)}</span> ${word}</span>`
}

/** What the marks in a list mean, for who sees them for the first time. */
export function levelLegend(): Html {
  return html`<p class="legend">${Object.values(levelTexts).map(({ word, means }) => html`<span><strong>${word}</strong>: ${means}</span>`)}</p>`
}

const tierTexts: Readonly<Partial<Record<Tier, string>>> = {
  'pre-migration': 'before migration',
  'pre-restore': 'before restore',
  shutdown: 'at shutdown',
}

/** A tier in words a newcomer knows. */
export function tierText(tier: Tier): string {
  return tierTexts[tier] ?? tier
}

export function tierTag(tier: Tier): Html {
  return html`<span class="tag">${tierText(tier)}</span>`
}

export function keptTag(): Html {
  return html`<span class="tag kept" title="It is never deleted by retention.">kept for good</span>`
}

const signs = { good: '✓', warning: '!', bad: '✕', info: 'i' } as const
export type Tone = keyof typeof signs

export function sign(tone: Tone): Html {
  return html`<span class="sign ${tone}" aria-hidden="true">${signs[tone]}</span>`
}

/** Something to be told: `bad` and `warning` are announced. */
export function notice(tone: Tone, body: Markup): Html {
  return html`<div class="notice ${tone}" role="${tone === 'bad' ? 'alert' : 'status'}">${sign(tone)}<div>${body}</div></div>`
}

export function errorNotice({ message, hint, code }: Pick<SerializedError, 'message' | 'hint' | 'code'>): Html {
  return notice(
    'bad',
    html`<p><strong>${sentence(message)}</strong></p>${hint !== undefined && html`<p>${sentence(hint)}</p>`}<p class="muted small">${code}</p>`,
  )
}

/** A sentence of the engine: what stands in backticks is code. */
export function sentence(text: string): Markup {
  return text.split('`').map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : part))
}

/** Names and values. */
export function facts(rows: readonly (readonly [string, Markup] | false | undefined)[]): Html {
  return html`<dl class="facts">${rows.map(
    (row) => row !== false && row !== undefined && html`<div><dt>${row[0]}</dt><dd>${row[1]}</dd></div>`,
  )}</dl>`
}

/** An address inside the admin. */
export function link(base: string, path: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') search.set(name, value)
  const text = search.toString()
  return `${base}${path}${text === '' ? '' : `?${text}`}`
}
