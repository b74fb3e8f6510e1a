import { throwIfAborted } from '../abort.ts'
import type { Clock } from '../clock.ts'

export interface FakeClock extends Clock {
  /** Every wait so far, in milliseconds. */
  readonly waits: readonly number[]
  advance(ms: number): void
}

/** A clock that stands still, except that every wait is over at once and moves it. */
export function fakeClock(start = 0): FakeClock {
  const waits: number[] = []
  let now = start
  return {
    waits,
    now: () => now,
    advance(ms) {
      now += ms
    },
    async sleep(ms, signal) {
      throwIfAborted(signal)
      waits.push(ms)
      now += ms
    },
  }
}
