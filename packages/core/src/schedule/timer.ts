import { setTimeout as wait } from 'node:timers/promises'
import { abortedError } from '../storage/abort.ts'

/** Time, so that tests can let years go by. */
export interface Timer {
  /** Milliseconds since 1970. */
  now(): number
  /**
   * Waits until the clock shows `atMs`; returns earlier when it was set back, because then that may be years away.
   * @throws BackupError `ABORTED`
   */
  sleepUntil(atMs: number, signal: AbortSignal): Promise<void>
}

// A machine that was suspended, or whose clock was set, is noticed within this time.
const LOOK_EVERY_MS = 30_000

/** The machine's own clock. It never keeps the process alive. */
export const systemTimer: Timer = {
  now: () => Date.now(),
  async sleepUntil(atMs, signal) {
    let before = Date.now()
    for (let now = before; now < atMs && now >= before; now = Date.now()) {
      before = now
      try {
        await wait(Math.min(atMs - now, LOOK_EVERY_MS), undefined, { signal, ref: false })
      } catch (error) {
        throw signal.aborted ? abortedError(signal) : error
      }
    }
  },
}
