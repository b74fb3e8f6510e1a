import { BackupError, isBackupError } from '../errors.ts'

/** What a call throws once its signal has fired. */
export function abortedError(signal: AbortSignal): BackupError {
  const { reason } = signal
  if (isBackupError(reason, 'ABORTED')) return reason
  return new BackupError('ABORTED', 'The operation was aborted.', { cause: reason })
}

/** @throws BackupError `ABORTED` once the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortedError(signal)
}

/** Waits for `promise` no longer than until the signal fires. @throws BackupError `ABORTED` */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    promise.catch(() => {}) // Nobody else waits for it, and the abort says why.
    throw abortedError(signal)
  }
  let onAbort: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortedError(signal))
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([promise, aborted])
  } catch (error) {
    // What fails because of the signal may have its own words for it.
    throw signal.aborted ? abortedError(signal) : error
  } finally {
    if (onAbort !== undefined) signal.removeEventListener('abort', onAbort)
  }
}

/** The stream until the signal fires, even while it waits for its next chunk. @throws BackupError `ABORTED` */
export async function* untilAborted(
  stream: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  if (signal === undefined) return yield* stream
  const iterator = stream[Symbol.asyncIterator]()
  let finished = false
  try {
    for (;;) {
      const { done, value } = await orAborted(iterator.next(), signal)
      if (done) {
        finished = true
        return
      }
      yield value
    }
  } finally {
    // Not awaited: a generator that hangs in its read answers `return` only after that read.
    if (!finished) void iterator.return?.().then(undefined, () => {})
  }
}
