import { formatBytes } from '../format.ts'
import { type Html, html } from '../web/html.ts'

export interface BarPoint {
  /** Said when pointed at. */
  readonly label: string
  readonly sizeBytes: number
}

const WIDTH = 720
const HEIGHT = 120

/** Sizes over time as bars, oldest at the left. Drawn here, so that it needs neither script nor style in the page. */
export function barChart(points: readonly BarPoint[], title: string): Html {
  const max = points.reduce((most, { sizeBytes }) => Math.max(most, sizeBytes), 1)
  const step = WIDTH / Math.max(1, points.length)
  // Few bars should not become walls.
  const width = Math.min(step - Math.min(3, step * 0.25), 44)
  const first = points[0]
  const last = points.at(-1)
  return html`<figure class="chart">
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${points.length} bars, the largest ${formatBytes(max)}">
${points.map(({ label, sizeBytes }, index) => {
  const height = Math.max(2, (sizeBytes / max) * (HEIGHT - 4))
  const x = index * step + (step - width) / 2
  return html`<rect class="bar" x="${round(x)}" y="${round(HEIGHT - height)}" width="${round(width)}" height="${round(height)}"><title>${label}: ${formatBytes(sizeBytes)}</title></rect>`
})}
</svg>
<figcaption><span>${first?.label ?? ''}</span><span>largest ${formatBytes(max)}</span><span>${last?.label ?? ''}</span></figcaption>
</figure>`
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
