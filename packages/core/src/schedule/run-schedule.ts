import type { Schedule } from '../config/schedule-text.ts'
import { isBackupError } from '../errors.ts'
import { decideNext } from './decide-next.ts'
import type { SlotClaims } from './slot-claims.ts'
import { spacingOf } from './slot-times.ts'
import type { Timer } from './timer.ts'

export interface RunSchedule {
  readonly schedule: Schedule
  readonly claims: SlotClaims
  readonly timer: Timer
  /** A run starts up to this much later, and never more than a tenth of the time between runs. */
  readonly jitterMs: number
  /** 0 up to, and without, 1. */
  readonly random: () => number
  /** When the last run was, if it is known from elsewhere than the claims. */
  readonly doneMs?: number | undefined
  /** Ends the waiting; a run that has begun goes on. */
  readonly signal: AbortSignal
  /** What is due. It throws when it failed, and has told so. */
  readonly run: (slotMs: number) => Promise<void>
  /** The schedule itself failed, like on a full disk. It goes on. */
  readonly onError: (error: unknown) => void
}

const PAUSE_AFTER_ERROR_MS = 5 * 60_000

/**
 * Runs what is due until the signal fires, one run at a time. Of several processes with the same claims, one runs each
 * slot. A run that throws is tried again; whatever fails, the next slot comes.
 */
export async function runSchedule(options: RunSchedule): Promise<void> {
  const { timer, signal } = options
  try {
    for (let isLeft = true; isLeft && !signal.aborted; ) {
      try {
        isLeft = await runNext(options)
      } catch (error) {
        if (isBackupError(error, 'ABORTED')) throw error
        options.onError(error)
        await timer.sleepUntil(timer.now() + PAUSE_AFTER_ERROR_MS, signal)
      }
    }
  } catch (error) {
    if (!isBackupError(error, 'ABORTED')) throw error
  }
}

/** False when nothing will ever be due again. */
async function runNext(options: RunSchedule): Promise<boolean> {
  const { schedule, claims, timer, signal, doneMs } = options
  const decide = async () => decideNext(schedule, { nowMs: timer.now(), attempts: await claims.read(), doneMs })
  const next = await decide()
  if (next === undefined) return false
  const jitterMs = options.random() * Math.min(options.jitterMs, spacingOf(schedule, next.slotMs) / 10)
  await timer.sleepUntil(Math.max(next.atMs, timer.now()) + jitterMs, signal)
  // Much may have happened: another process took it, the machine slept past the next slot, the clock was set.
  const due = await decide()
  if (due?.slotMs !== next.slotMs || due.attempt !== next.attempt || timer.now() < next.atMs) return true
  const atMs = timer.now()
  if (!(await claims.claim(due.slotMs, due.attempt, atMs))) return true
  const outcome = await outcomeOf(() => options.run(due.slotMs))
  await claims.finish({ slotMs: due.slotMs, number: due.attempt, atMs, outcome, endedMs: timer.now() })
  return true
}

async function outcomeOf(run: () => Promise<void>): Promise<'done' | 'failed'> {
  try {
    await run()
    return 'done'
  } catch {
    // The run has told what went wrong; here it only matters that it has to be tried again.
    return 'failed'
  }
}
