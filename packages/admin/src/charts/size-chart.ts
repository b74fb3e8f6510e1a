import { formatBytes } from '../format.ts'
import { type Html, html } from '../web/html.ts'
import { axisEnd, sizeLabels } from './size-axis.ts'
import { timeAxis } from './time-axis.ts'

export interface SizePoint {
  /** Said when pointed at. */
  readonly label: string
  readonly atMs: number
  readonly sizeBytes: number
}

const WIDTH = 720
const HEIGHT = 120
const DAY_MS = 86_400_000
// More of them than pixels are no chart.
const MAX_POINTS = 180

/** Sizes over time: a line whose distances are those of time, so that a month without a backup is seen as one. */
export function sizeChart(all: readonly SizePoint[], title: string): Html {
  const points = thinned(all)
  const max = points.reduce((most, { sizeBytes }) => Math.max(most, sizeBytes), 1)
  const end = axisEnd(max)
  const lastMs = points.at(-1)?.atMs ?? 0
  const firstMs = Math.min(points[0]?.atMs ?? 0, lastMs - DAY_MS)
  const axis = timeAxis(firstMs, lastMs, 5)
  const xOf = ({ atMs }: SizePoint): number => round(((atMs - firstMs) / (lastMs - firstMs)) * WIDTH)
  const yOf = ({ sizeBytes }: SizePoint): number => round(HEIGHT - (sizeBytes / end) * HEIGHT)
  const line = points.map((point, at) => `${at === 0 ? 'M' : 'L'}${xOf(point)} ${yOf(point)}`).join('')
  const [first] = points
  const area = first === undefined ? '' : `${line}V${HEIGHT}H${xOf(first)}Z`
  return html`<figure class="chart">
${sizeLabels(end)}
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label="${title}: ${points.length} points, the largest ${formatBytes(max)}, the newest ${formatBytes(points.at(-1)?.sizeBytes ?? 0)}">
<path class="lines" d="M0 0H${WIDTH}M0 ${HEIGHT / 2}H${WIDTH}M0 ${HEIGHT}H${WIDTH}"/>
<path class="area" d="${area}"/><path class="line" d="${line}"/>
${points.map((point, at) => {
  // Each reaches half-way to its neighbours.
  const x = xOf(point)
  const from = at === 0 ? 0 : (x + xOf(points[at - 1] ?? point)) / 2
  const to = at === points.length - 1 ? WIDTH : (x + xOf(points[at + 1] ?? point)) / 2
  return html`<rect class="spot" x="${round(from)}" y="0" width="${round(Math.max(0.1, to - from))}" height="${HEIGHT}"><title>${point.label}: ${formatBytes(point.sizeBytes)}</title></rect>`
})}
</svg>
${axis.labels}
</figure>`
}

/** As many as there is room for, the newest among them. */
function thinned(points: readonly SizePoint[]): readonly SizePoint[] {
  const every = Math.ceil(points.length / MAX_POINTS)
  return points.filter((_, at) => (points.length - 1 - at) % every === 0)
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
