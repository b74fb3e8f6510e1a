import { formatDuration } from './ages.ts'
import { formatBytes, formatRate } from './bytes.ts'
import { type Style, symbols } from './style.ts'
import { pad } from './text-width.ts'

/** One thing that moves bytes, as events tell it. */
export interface ProgressUpdate {
  /** What stays the same from the first update to the last: `app upload offsite`. */
  readonly label: string
  /** What of many it is about, like a backup's id. When it changes, the step begins anew. */
  readonly subject?: string
  readonly doneBytes: number
  /** 0 while it is not known. */
  readonly totalBytes: number
}

/** A step with what is needed to say how fast it goes. */
export interface ProgressStep extends ProgressUpdate {
  readonly startedAtMs: number
  readonly endedAtMs: number | undefined
  /** The last few seconds, oldest first. */
  readonly samples: readonly { readonly atMs: number; readonly bytes: number }[]
}

const windowMs = 5000

/** The step after an update. Bytes may step back when a part is sent again. */
export function advanceStep(before: ProgressStep | undefined, update: ProgressUpdate, nowMs: number): ProgressStep {
  const step = before?.subject === update.subject ? before : undefined
  const samples = (step?.samples ?? []).filter(({ atMs }) => nowMs - atMs <= windowMs)
  const isDone = update.totalBytes > 0 && update.doneBytes >= update.totalBytes
  return {
    ...update,
    startedAtMs: step?.startedAtMs ?? nowMs,
    endedAtMs: isDone ? (step?.endedAtMs ?? nowMs) : undefined,
    samples: [...samples, { atMs: nowMs, bytes: update.doneBytes }],
  }
}

/** The step at its end. */
export function completed(step: ProgressStep, nowMs: number): ProgressStep {
  if (step.endedAtMs !== undefined) return step
  return { ...step, doneBytes: Math.max(step.doneBytes, step.totalBytes), endedAtMs: nowMs }
}

/** Label and subject. */
export function nameOf({ label, subject }: ProgressUpdate): string {
  return subject === undefined ? label : `${label} ${subject}`
}

/** 0 to 1. */
export function fractionOf({ doneBytes, totalBytes }: ProgressUpdate): number {
  return totalBytes <= 0 ? 0 : Math.min(1, Math.max(0, doneBytes / totalBytes))
}

/** Of the last seconds while it runs, of all of it when it has ended; undefined as long as nothing can be said. */
export function bytesPerSecond(step: ProgressStep): number | undefined {
  const isDone = step.endedAtMs !== undefined
  const first = isDone ? { atMs: step.startedAtMs, bytes: 0 } : step.samples[0]
  const last = isDone ? { atMs: step.endedAtMs, bytes: step.doneBytes } : step.samples.at(-1)
  if (first === undefined || last === undefined || last.atMs - first.atMs < 100) return undefined
  const rate = ((last.bytes - first.bytes) * 1000) / (last.atMs - first.atMs)
  return rate > 0 ? rate : undefined
}

/** Milliseconds until the end at the present rate. */
export function remainingMs(step: ProgressStep): number | undefined {
  const rate = bytesPerSecond(step)
  if (rate === undefined || step.totalBytes <= 0 || step.endedAtMs !== undefined) return undefined
  return ((step.totalBytes - step.doneBytes) * 1000) / rate
}

export interface StepLayout {
  readonly columns: number
  readonly labelWidth: number
  readonly style: Style
}

/** One line: label, bar, percent, bytes, rate, and the time left or taken. Never wider than the terminal. */
export function renderStep(step: ProgressStep, { columns, labelWidth, style }: StepLayout): string {
  const label = `  ${pad(nameOf(step), labelWidth)}`
  const facts = factsOf(step)
  const room = columns - 1 - labelWidth - 4
  const isKnown = step.totalBytes > 0
  // Facts at the right go first when the terminal is narrow, then the bar.
  for (let shown = facts.length; shown >= 1; shown--) {
    const text = facts.slice(0, shown).join('  ')
    const barWidth = Math.min(24, room - text.length - 2)
    if (!isKnown && barWidth >= 0) return `${label}  ${text}`
    if (barWidth >= 10) return `${label}  ${renderBar(fractionOf(step), barWidth, style)}  ${text}`
  }
  return `${label}  ${facts[0] ?? ''}`.slice(0, Math.max(0, columns - 1))
}

function factsOf(step: ProgressStep): readonly string[] {
  const rate = bytesPerSecond(step)
  const left = remainingMs(step)
  const isDone = step.endedAtMs !== undefined
  const bytes = formatBytes(step.doneBytes)
  return [
    ...(step.totalBytes > 0 ? [`${String(Math.floor(fractionOf(step) * 100)).padStart(3)} %`] : []),
    isDone || step.totalBytes <= 0 ? bytes : `${bytes} of ${formatBytes(step.totalBytes)}`,
    ...(rate === undefined ? [] : [formatRate(rate)]),
    ...(isDone && rate !== undefined ? [formatDuration((step.endedAtMs ?? 0) - step.startedAtMs)] : []),
    ...(left === undefined ? [] : [`${formatDuration(Math.max(1000, left))} left`]),
  ]
}

function renderBar(fraction: number, width: number, style: Style): string {
  const full = Math.floor(fraction * width)
  const paint = fraction >= 1 ? style.good : style.accent
  return paint(symbols.bar.repeat(full)) + style.dim(symbols.track.repeat(width - full))
}
