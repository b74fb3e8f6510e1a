import { type Html, html } from '../web/html.ts'

export interface TimelinePoint {
  readonly id: string
  /** Said when pointed at. */
  readonly label: string
  readonly atMs: number
  readonly href: string
  readonly isProven: boolean
}

const WIDTH = 720
const HEIGHT = 56
const COLUMNS = 240

/**
 * Restore points on a line of time, each a link. For the eye and the pointer: the list beneath has the same, and more room
 * for fingers, keyboards and screen readers.
 */
export function timelineChart(points: readonly TimelinePoint[], fromMs: number, toMs: number): Html {
  const span = Math.max(1, toMs - fromMs)
  // One mark for each place there is; of those that share one, the newest.
  const columns = new Map<number, TimelinePoint>()
  for (const point of points) {
    const column = Math.min(COLUMNS - 1, Math.max(0, Math.floor(((point.atMs - fromMs) / span) * COLUMNS)))
    const other = columns.get(column)
    if (other === undefined || point.atMs > other.atMs) columns.set(column, point)
  }
  return html`<div class="chart timeline"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true" focusable="false">
<line class="axis" x1="0" y1="${HEIGHT - 1}" x2="${WIDTH}" y2="${HEIGHT - 1}"/>
${[...columns].map(([column, { href, label, isProven }]) => {
  const x = Math.round((column + 0.5) * (WIDTH / COLUMNS) * 10) / 10
  return html`<a href="${href}" tabindex="-1"><title>${label}</title><rect class="hit" x="${x - 4}" y="0" width="8" height="${HEIGHT}"/><rect class="point${isProven ? ' is-proven' : ''}" x="${x - 1}" y="${isProven ? 4 : 16}" width="2" height="${HEIGHT - (isProven ? 4 : 16)}"/></a>`
})}
</svg></div>`
}
