import { type Html, html } from '../web/html.ts'
import { timeAxis } from './time-axis.ts'

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
export function timelineChart(points: readonly TimelinePoint[], fromMs: number, toMs: number, labels = 6): Html {
  const span = Math.max(1, toMs - fromMs)
  const axis = timeAxis(fromMs, toMs, labels)
  // One mark for each place there is; of those that share one, a proven one, and the newest.
  const columns = new Map<number, TimelinePoint>()
  for (const point of points) {
    const column = Math.min(COLUMNS - 1, Math.max(0, Math.floor(((point.atMs - fromMs) / span) * COLUMNS)))
    const other = columns.get(column)
    const isBetter =
      other === undefined || (point.isProven === other.isProven ? point.atMs > other.atMs : point.isProven)
    if (isBetter) columns.set(column, point)
  }
  return html`<div class="chart timeline"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true" focusable="false">
<path class="lines" d="M0 ${HEIGHT}H${WIDTH}${axis.places.map((place) => `M${Math.round(place * WIDTH)} 0V${HEIGHT}`).join('')}"/>
${[...columns].map(([column, { href, label, isProven }]) => {
  const x = Math.round((column + 0.5) * (WIDTH / COLUMNS) * 10) / 10
  const mark = `M${x} ${isProven ? 4 : 18}V${HEIGHT}`
  return html`<a href="${href}" tabindex="-1"><title>${label}</title><path${isProven && html` class="proven"`} d="${mark}"/></a>`
})}
</svg>${axis.labels}</div>`
}
