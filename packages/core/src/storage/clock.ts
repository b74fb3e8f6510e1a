import { setTimeout as wait } from 'node:timers/promises'
import { abortedError } from './abort.ts'

/** Time, so that tests need not wait for it. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** @throws BackupError `ABORTED` when the signal fires first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(ms, signal) {
    try {
      await wait(ms, undefined, signal === undefined ? {} : { signal })
    } catch (error) {
      throw signal?.aborted ? abortedError(signal) : error
    }
  },
}
