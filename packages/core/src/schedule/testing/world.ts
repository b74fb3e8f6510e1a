import { abortedError } from '../../storage/abort.ts'
import type { Timer } from '../timer.ts'

/** Time that passes as fast as everybody in it waits. */
export interface World extends Timer {
  /** Lets time pass until everybody waits for something later. `sleepers`: how many there are. */
  runUntil(ms: number, sleepers: number): Promise<void>
  /** Somebody sets the clock. */
  set(ms: number): void
}

interface Sleeper {
  readonly atMs: number
  wake(): void
}

export function createWorld(start: string): World {
  let nowMs = Date.parse(start)
  let asleep: Sleeper[] = []
  let onSleep = (): void => {}

  return {
    now: () => nowMs,

    sleepUntil(atMs, signal) {
      return new Promise<void>((resolve, reject) => {
        if (signal.aborted) return reject(abortedError(signal))
        const sleeper = { atMs, wake: resolve }
        signal.addEventListener('abort', () => {
          asleep = asleep.filter((each) => each !== sleeper)
          reject(abortedError(signal))
        })
        asleep.push(sleeper)
        onSleep()
      })
    },

    async runUntil(ms, sleepers) {
      for (;;) {
        while (asleep.length < sleepers) {
          await new Promise<void>((resolve) => {
            onSleep = resolve
          })
        }
        const next = Math.min(...asleep.map(({ atMs }) => atMs))
        if (next > ms) break
        nowMs = Math.max(nowMs, next)
        wakeAll((sleeper) => sleeper.atMs <= nowMs)
      }
      nowMs = ms
    },

    set(ms) {
      const isBack = ms < nowMs
      nowMs = ms
      // As the machine's own timer does.
      wakeAll(({ atMs }) => isBack || atMs <= nowMs)
    },
  }

  function wakeAll(isDue: (sleeper: Sleeper) => boolean): void {
    const due = asleep.filter(isDue)
    asleep = asleep.filter((each) => !due.includes(each))
    for (const sleeper of due) sleeper.wake()
  }
}
