import { orAborted } from './abort.ts'
import { type Clock, systemClock } from './clock.ts'
import { identityOf } from './identity-of.ts'
import type { Body, Storage } from './storage.ts'

export interface LimitOptions {
  /** Of all uploads together. @default no limit */
  readonly uploadBytesPerSecond?: number
  /** Of all downloads together. @default no limit */
  readonly downloadBytesPerSecond?: number
  /** Calls at the same time; a read counts until its stream ends. @default no limit */
  readonly concurrency?: number
  readonly clock?: Clock
}

/**
 * Holds a storage to so many bytes per second and so many calls at a time.
 *
 * @example
 * const gentle = withLimit(storage, { uploadBytesPerSecond: 2_000_000, concurrency: 2 })
 */
export function withLimit(storage: Storage, options: LimitOptions): Storage {
  const { uploadBytesPerSecond, downloadBytesPerSecond, concurrency, clock = systemClock } = options
  const upload = pacer(uploadBytesPerSecond, clock)
  const download = pacer(downloadBytesPerSecond, clock)
  const enter = gate(concurrency ?? Number.POSITIVE_INFINITY)

  async function limited<T>(signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    const leave = await enter(signal)
    try {
      return await run()
    } finally {
      leave()
    }
  }

  return {
    ...identityOf(storage),

    put(key, body, put = {}) {
      const paced: Body = { ...body, stream: (range) => upload(body.stream(range), put.signal) }
      return limited(put.signal, () => storage.put(key, paced, put))
    },

    async get(key, get = {}) {
      const leave = await enter(get.signal)
      try {
        const result = await storage.get(key, get)
        return { ...result, stream: thenLeave(download(result.stream, get.signal), leave) }
      } catch (error) {
        leave()
        throw error
      }
    },

    head: (key, call = {}) => limited(call.signal, () => storage.head(key, call)),
    list: (list = {}) => limited(list.signal, () => storage.list(list)),
    delete: (keys, call = {}) => limited(call.signal, () => storage.delete(keys, call)),
    fencing: (call = {}) => limited(call.signal, () => storage.fencing(call)),
  }
}

type Pacer = (stream: AsyncIterable<Uint8Array>, signal: AbortSignal | undefined) => AsyncIterable<Uint8Array>

/** Streams that share one budget: each chunk waits until everything before it has had its time. */
function pacer(bytesPerSecond: number | undefined, clock: Clock): Pacer {
  if (bytesPerSecond === undefined) return (stream) => stream
  // Eight slices a second, so that a large chunk does not go out at once after a long silence.
  const sliceBytes = Math.max(1024, Math.floor(bytesPerSecond / 8))
  let freeAt = 0
  return async function* paced(stream, signal) {
    for await (const chunk of stream) {
      for (let at = 0; at < chunk.byteLength; at += sliceBytes) {
        const slice = chunk.subarray(at, at + sliceBytes)
        const now = clock.now()
        freeAt = Math.max(freeAt, now) + (slice.byteLength / bytesPerSecond) * 1000
        await clock.sleep(freeAt - now, signal)
        yield slice
      }
    }
  }
}

/** Lets `width` callers in at a time, in the order they came. Each gets a function to leave with, of use once. */
function gate(width: number): (signal: AbortSignal | undefined) => Promise<() => void> {
  let inside = 0
  const waiting = new Set<() => void>()

  const leave = (): void => {
    inside--
    const [next] = waiting
    next?.()
  }
  const once = (run: () => void): (() => void) => {
    let isDone = false
    return () => {
      if (isDone) return
      isDone = true
      run()
    }
  }

  return async (signal) => {
    if (inside >= width) {
      const turn = Promise.withResolvers<void>()
      const call = (): void => {
        waiting.delete(call)
        inside++
        turn.resolve()
      }
      waiting.add(call)
      try {
        await orAborted(turn.promise, signal)
      } catch (error) {
        // The turn may have come just before the signal did.
        if (!waiting.delete(call)) leave()
        throw error
      }
    } else {
      inside++
    }
    return once(leave)
  }
}

async function* thenLeave(
  stream: AsyncIterable<Uint8Array>,
  leave: () => void,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* stream
  } finally {
    leave()
  }
}
