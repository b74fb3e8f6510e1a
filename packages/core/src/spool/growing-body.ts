import { open } from 'node:fs/promises'
import type { BackupError } from '../errors.ts'
import { disposableChunk } from '../storage/spent-chunk.ts'
import type { Body } from '../storage/storage.ts'

export interface GrowingBody extends Body {
  /** The file now holds this many bytes that will not change. */
  advance(storedBytes: number): void
  /** Piece `index` is complete and has this SHA-256. */
  addPiece(index: number, sha256: Uint8Array): void
  /** No more will come. */
  finish(sizeBytes: number): void
  /** It will never be whole: all readers throw this. */
  fail(error: BackupError | Error): void
}

export interface GrowingBodyOptions {
  readonly maxSizeBytes: number
  readonly pieceSizeBytes: number
}

// Each read wakes a thread of the app's pool. On a machine with few cores the event loop loses its own to it, or waits in
// pthread_cond_signal for one that has none: up to 14 ms were seen. So rather few reads; the socket gets them in slices.
const READ_CHUNK_BYTES = 512 * 1024

/** A spool file another process is still writing, as a storage body: reads beyond its sealed end wait. */
export function growingBody(file: string, options: GrowingBodyOptions): GrowingBody {
  let sealedBytes = 0
  let finalBytes: number | undefined
  let failure: Error | undefined
  let wake = Promise.withResolvers<void>()
  const pieces = new Map<number, Uint8Array>()
  const size = Promise.withResolvers<number>()
  size.promise.catch(() => {}) // Readers that care get the failure themselves; nobody may be waiting for the size.

  const changed = (): void => {
    const previous = wake
    wake = Promise.withResolvers<void>()
    previous.resolve()
  }
  const waitUntil = async (ready: () => boolean): Promise<void> => {
    for (;;) {
      if (failure !== undefined) throw failure
      if (ready()) return
      await wake.promise
    }
  }

  return {
    size: size.promise,
    maxSizeBytes: options.maxSizeBytes,
    pieces: {
      sizeBytes: options.pieceSizeBytes,
      async sha256(index) {
        await waitUntil(() => pieces.has(index))
        return pieces.get(index) as Uint8Array
      },
    },
    async *stream({ start = 0, end = Number.POSITIVE_INFINITY } = {}) {
      await waitUntil(() => sealedBytes > start || finalBytes !== undefined)
      const handle = await open(file, 'r')
      try {
        let position = start
        for (;;) {
          await waitUntil(() => sealedBytes > position || finalBytes !== undefined)
          const limit = Math.min(end, sealedBytes)
          if (position >= limit) return
          const buffer = Buffer.allocUnsafe(Math.min(READ_CHUNK_BYTES, limit - position))
          const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
          if (bytesRead === 0) return
          position += bytesRead
          yield disposableChunk(buffer.subarray(0, bytesRead))
          if (position >= end) return
        }
      } finally {
        await handle.close()
      }
    },
    advance(storedBytes) {
      sealedBytes = Math.max(sealedBytes, storedBytes)
      changed()
    },
    addPiece(index, sha256) {
      pieces.set(index, sha256)
      changed()
    },
    finish(sizeBytes) {
      sealedBytes = sizeBytes
      finalBytes = sizeBytes
      size.resolve(sizeBytes)
      changed()
    },
    fail(error) {
      failure = error
      size.reject(error)
      changed()
    },
  }
}
