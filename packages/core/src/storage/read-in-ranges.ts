import { BackupError } from '../errors.ts'
import type { CallOptions, Storage } from './storage.ts'

export interface ReadInRangesOptions extends CallOptions {
  /** What the object must have: anything else is refused before it is read. */
  readonly sizeBytes: number
  /** Requests at the same time; 1 reads the object as one stream. @default 4 */
  readonly inFlight?: number
  /** Bytes per request; `inFlight` times as many are held in memory. @default 2097152 */
  readonly rangeBytes?: number
}

/**
 * The bytes of a large object, in order, fetched in parallel ranges of one version of it: one connection to an object
 * store seldom fills the line.
 * @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG`, `OBJECT_CHANGED`, and what the storage throws
 */
export async function* readInRanges(
  storage: Storage,
  key: string,
  options: ReadInRangesOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { sizeBytes, inFlight = 4, rangeBytes = 2 * 1024 * 1024 } = options
  const leaving = new AbortController()
  const signal = options.signal === undefined ? leaving.signal : AbortSignal.any([options.signal, leaving.signal])
  const isOneStream = inFlight === 1 || sizeBytes <= rangeBytes || storage.localDir !== undefined
  const first = await storage.get(key, isOneStream ? { signal } : { signal, range: { start: 0, end: rangeBytes } })
  try {
    checkSize(key, first.sizeBytes, sizeBytes)
    if (isOneStream) return yield* first.stream

    const ifMatch = first.etag === undefined ? {} : { ifMatch: first.etag }
    const fetchRange = async (start: number): Promise<readonly Uint8Array[]> => {
      const range = { start, end: Math.min(start + rangeBytes, sizeBytes) }
      const result = await storage.get(key, { signal, range, ...ifMatch })
      checkSize(key, result.sizeBytes, sizeBytes)
      return collect(result.stream)
    }
    const pending: Promise<readonly Uint8Array[]>[] = [collect(first.stream)]
    let next = rangeBytes
    while (pending.length > 0) {
      while (pending.length < inFlight && next < sizeBytes) {
        const range = fetchRange(next)
        range.catch(() => {}) // Thrown when its turn comes; an earlier range may fail first.
        pending.push(range)
        next += rangeBytes
      }
      yield* (await pending.shift()) ?? []
    }
  } finally {
    leaving.abort()
  }
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

/** @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG` */
export function checkSize(key: string, foundBytes: number, expectedBytes: number): void {
  if (foundBytes === expectedBytes) return
  const isShort = foundBytes < expectedBytes
  throw new BackupError(
    isShort ? 'BODY_TRUNCATED' : 'BODY_TOO_LONG',
    `${key} has ${foundBytes} bytes; its manifest promises ${expectedBytes}.`,
    { hint: 'The object was cut, replaced or damaged in the storage. Use another backup or another storage.' },
  )
}
