import type { Schedule } from '../config/schedule-text.ts'
import { slotAfter, slotAt } from './slot-times.ts'

/** One try at one slot, by whichever process. */
export interface Attempt {
  readonly slotMs: number
  /** 1 is the first. */
  readonly number: number
  /** When it began. */
  readonly atMs: number
  /** Absent while it runs, or when its process died. */
  readonly outcome?: 'done' | 'failed'
  readonly endedMs?: number
}

/** What to do next. */
export interface NextRun {
  readonly slotMs: number
  readonly attempt: number
  /** Not before this moment. In the past for a run that was missed. */
  readonly atMs: number
}

const MINUTE_MS = 60_000
/** After the first failure, after the second. */
const RETRY_AFTER_MS = [5 * MINUTE_MS, 15 * MINUTE_MS]
/** An attempt that says nothing for so long has died. */
const SILENCE_MS = 60 * MINUTE_MS

/**
 * The next run of a schedule. What was missed while nothing ran is made up for by one run; what failed or died is tried
 * twice more until the next slot comes. `doneMs`: when the last run was, if it is known from elsewhere.
 * Attempts of the future are of a clock that was wrong, and count for nothing.
 */
export function decideNext(
  schedule: Schedule,
  facts: { readonly nowMs: number; readonly attempts: readonly Attempt[]; readonly doneMs?: number | undefined },
): NextRun | undefined {
  const { nowMs } = facts
  const current = slotAt(schedule, nowMs)
  const next = slotAfter(schedule, nowMs)
  const upcoming = next === undefined ? undefined : { slotMs: next, attempt: 1, atMs: next }
  if (current === undefined) return upcoming
  const last = facts.attempts
    .filter(({ slotMs }) => slotMs === current)
    .reduce<Attempt | undefined>((a, b) => (a === undefined || b.number > a.number ? b : a), undefined)
  if (last === undefined) {
    const isDone = facts.doneMs !== undefined && facts.doneMs >= current && facts.doneMs <= nowMs
    return isDone ? upcoming : { slotMs: current, attempt: 1, atMs: current }
  }
  const retry = retryOf(last)
  return retry !== undefined && (next === undefined || retry.atMs < next) ? retry : upcoming
}

function retryOf({ slotMs, number, atMs, outcome, endedMs = atMs }: Attempt): NextRun | undefined {
  const failedMs = RETRY_AFTER_MS[number - 1]
  if (outcome === 'done' || failedMs === undefined) return undefined
  return { slotMs, attempt: number + 1, atMs: outcome === 'failed' ? endedMs + failedMs : atMs + SILENCE_MS }
}
