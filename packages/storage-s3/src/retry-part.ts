import { setTimeout as sleep } from 'node:timers/promises'
import { isBackupError, throwIfAborted } from '@sqlite-backup/core'

/**
 * Tries one step of a large upload again while the store is unavailable, so that a hiccup does not cost the parts before it.
 * Waits 0.1 s, 0.4 s, 1.6 s … (at most 10 s, jittered), or what the store asks for.
 */
export async function retryPart<T>(
  attempts: number,
  signal: AbortSignal | undefined,
  run: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await run(attempt)
    } catch (error) {
      if (attempt >= attempts || !isBackupError(error, 'UNAVAILABLE')) throw error
      const backOffMs = Math.min(100 * 4 ** (attempt - 1), 10_000) * (0.5 + Math.random() / 2)
      await pause(Math.min(error.retryAfterMs ?? backOffMs, 60_000), signal)
    }
  }
}

async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch (error) {
    throwIfAborted(signal)
    throw error
  }
}
