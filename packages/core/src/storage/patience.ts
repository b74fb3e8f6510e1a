import { BackupError, isBackupError } from '../errors.ts'
import { throwIfAborted } from './abort.ts'
import { type Clock, systemClock } from './clock.ts'

export interface RetryOptions {
  /** Tries in all, the first one included. @default 5 */
  readonly attempts?: number
  /** The first wait is a random time up to this; every further bound is twice the one before. @default 200 */
  readonly baseDelayMs?: number
  /** No bound grows beyond this. A storage that asks for a longer wait gets it. @default 10_000 */
  readonly maxDelayMs?: number
  /** No new try begins when this long has passed without any progress. @default 60_000 */
  readonly deadlineMs?: number
  /** Told before every wait. */
  readonly onRetry?: (retry: Retry) => void
  readonly clock?: Clock
  /** From 0 to below 1. @default Math.random */
  readonly random?: () => number
}

export interface Retry {
  /** Like `put app/x.json`. */
  readonly doing: string
  /** The number of the try that failed. */
  readonly attempt: number
  readonly delayMs: number
  readonly error: BackupError
}

/** How much longer one call is tried. */
export interface Patience {
  /** Bytes moved: the deadline starts anew. */
  moved(): void
  /** Bytes reached the caller for good: the deadline and the number of tries start anew. */
  delivered(): void
  /** Waits for the time of the next try. @throws the error itself when there shall be none */
  wait(error: unknown): Promise<void>
}

/** Full jitter, a deadline, and the storage's own wish: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
export function patience(doing: string, options: RetryOptions, signal: AbortSignal | undefined): Patience {
  const { attempts = 5, baseDelayMs = 200, maxDelayMs = 10_000, deadlineMs = 60_000 } = options
  const { clock = systemClock, random = Math.random, onRetry } = options
  let since = clock.now()
  let failures = 0

  return {
    moved() {
      since = clock.now()
    },
    delivered() {
      since = clock.now()
      failures = 0
    },
    async wait(error) {
      if (!isBackupError(error, 'UNAVAILABLE')) throw error
      throwIfAborted(signal)
      failures++
      const bound = Math.min(maxDelayMs, baseDelayMs * 2 ** (failures - 1))
      const delayMs = Math.max(error.retryAfterMs ?? 0, Math.floor(random() * bound))
      const spentMs = clock.now() - since
      if (failures >= attempts || spentMs + delayMs > deadlineMs) throw exhausted(doing, failures, spentMs, error)
      onRetry?.({ doing, attempt: failures, delayMs, error })
      await clock.sleep(delayMs, signal)
    },
  }
}

function exhausted(doing: string, failures: number, spentMs: number, error: BackupError): BackupError {
  if (failures === 1) return error
  const { hint, retryAfterMs } = error
  const tried = `tried ${failures} times in ${Math.round(spentMs / 1000)} s`
  return new BackupError('UNAVAILABLE', `Gave up to ${doing}, ${tried}: ${error.message}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}
