import { formatBytes } from '../format.ts'
import { type Html, html } from '../web/html.ts'

const steps = [1, 1.2, 1.6, 2, 3, 4, 5, 6, 8, 10] as const

/** The next round size at or above the largest one: where an axis ends. */
export function axisEnd(maxBytes: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(Math.max(1, maxBytes)))
  return (steps.find((step) => step * magnitude >= maxBytes) ?? 10) * magnitude
}

/** What the lines of a chart of sizes stand for, from the top down. */
export function sizeLabels(endBytes: number): Html {
  return html`<div class="sizes" aria-hidden="true"><span>${formatBytes(endBytes)}</span><span>${formatBytes(endBytes / 2)}</span><span>0</span></div>`
}
