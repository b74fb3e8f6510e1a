import { type Html, html } from '../web/html.ts'

const DAY_MS = 86_400_000
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

export interface TimeAxis {
  /** Where the labels stand, from 0 to 1: in the middle of so many equal columns. */
  readonly places: readonly number[]
  /** One label for each column. */
  readonly labels: Html
}

/** Moments at even distances along a chart, as short as the span allows. The script turns hours into the reader's own. */
export function timeAxis(fromMs: number, toMs: number, count: number): TimeAxis {
  const spanMs = Math.max(1, toMs - fromMs)
  const places = Array.from({ length: count }, (_, index) => (index + 0.5) / count)
  const isHours = spanMs <= 2 * DAY_MS
  return {
    places,
    labels: html`<div class="times">${places.map((place) => {
      const iso = new Date(fromMs + place * spanMs).toISOString()
      return html`<time datetime="${iso}"${isHours && html` data-clock`}>${isHours ? iso.slice(11, 16) : dayText(iso, spanMs)}</time>`
    })}</div>`,
  }
}

function dayText(iso: string, spanMs: number): string {
  const month = months[Number(iso.slice(5, 7)) - 1]
  return spanMs > 300 * DAY_MS ? `${month} ${iso.slice(0, 4)}` : `${month} ${Number(iso.slice(8, 10))}`
}
