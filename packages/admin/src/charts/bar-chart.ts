import { formatBytes } from '../format.ts'
import { type Html, html, type Markup } from '../web/html.ts'
import { axisEnd, sizeLabels } from './size-axis.ts'

export interface BarPoint {
  /** Said when pointed at. */
  readonly label: string
  readonly sizeBytes: number
}

export interface BarChartOptions {
  readonly title: string
  /** Beneath the first and the last bar. */
  readonly first: Markup
  readonly last: Markup
}

const WIDTH = 720
const HEIGHT = 120

/** Sizes as bars, oldest at the left. Drawn here, so that it needs neither script nor style in the page. */
export function barChart(points: readonly BarPoint[], { title, first, last }: BarChartOptions): Html {
  const max = points.reduce((most, { sizeBytes }) => Math.max(most, sizeBytes), 1)
  const end = axisEnd(max)
  const step = WIDTH / Math.max(1, points.length)
  // Few bars should not become walls.
  const width = Math.min(step * 0.82, 44)
  return html`<figure class="chart">
${sizeLabels(end)}
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${points.length} bars, the largest ${formatBytes(max)}">
<path class="lines" d="M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}"/>
${points.map(({ label, sizeBytes }, index) => {
  const height = Math.max(1.5, (sizeBytes / end) * HEIGHT)
  const x = index * step + (step - width) / 2
  return html`<rect class="bar" x="${round(x)}" y="${round(HEIGHT - height)}" width="${round(width)}" height="${round(height)}"><title>${label}: ${formatBytes(sizeBytes)}</title></rect>`
})}
</svg>
<figcaption><span>${first}</span>${points.length > 1 && html`<span>${last}</span>`}</figcaption>
</figure>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
