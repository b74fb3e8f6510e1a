import { createHash } from 'node:crypto'
import type { Body } from '../../storage.ts'

export const KiB = 1024
export const MiB = 1024 * KiB

/** Bytes that look random, do not repeat, and are the same for the same seed. */
export function patternBytes(sizeBytes: number, seed = 1): Buffer {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4))
  let state = (seed * 0x9e3779b9) >>> 0 || 1
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    words[i] = state
  }
  return Buffer.from(words.buffer, 0, sizeBytes)
}

/** A body in chunks of uneven length, as a file or a pipe would give them. */
export function chunkedBody(bytes: Buffer): Body {
  return {
    size: bytes.length,
    async *stream({ start = 0, end = bytes.length } = {}) {
      let length = 1
      for (let at = start; at < end; at += length, length = Math.min(length * 3, 300 * KiB)) {
        yield bytes.subarray(at, Math.min(at + length, end))
      }
    },
  }
}

/** The same with SHA-256 made beforehand. */
export function digestedBody(bytes: Buffer, pieceSizeBytes: number): Body {
  return {
    ...chunkedBody(bytes),
    pieces: {
      sizeBytes: pieceSizeBytes,
      async sha256(index) {
        const piece = bytes.subarray(index * pieceSizeBytes, (index + 1) * pieceSizeBytes)
        return createHash('sha256').update(piece).digest()
      },
    },
  }
}

export interface HeldBody {
  readonly body: Body
  /** Resolves once somebody waits for bytes that are not there yet. */
  readonly waiting: Promise<void>
  /** Lets the rest appear. */
  release(): void
  /** Makes whoever waits fail. */
  fail(error: Error): void
}

/** A body that grows: `ready` bytes are there, the rest comes with `release`. */
export function heldBody(bytes: Buffer, ready: number): HeldBody {
  const rest = Promise.withResolvers<void>()
  const size = Promise.withResolvers<number>()
  const waiting = Promise.withResolvers<void>()
  // Whether anybody looks at these is the adapter's choice.
  rest.promise.catch(() => {})
  size.promise.catch(() => {})
  return {
    waiting: waiting.promise,
    release() {
      rest.resolve()
      size.resolve(bytes.length)
    },
    fail(error) {
      rest.reject(error)
      size.reject(error)
    },
    body: {
      size: size.promise,
      maxSizeBytes: bytes.length,
      async *stream({ start = 0, end = bytes.length } = {}) {
        if (start < ready) yield bytes.subarray(start, Math.min(end, ready))
        if (end <= ready) return
        waiting.resolve()
        await rest.promise
        yield bytes.subarray(Math.max(start, ready), end)
      },
    },
  }
}

/** A body that gives `bytes` and then throws, though it promised `sizeBytes`. */
export function failingBody(bytes: Buffer, sizeBytes: number, error: Error): Body {
  return {
    size: sizeBytes,
    async *stream({ start = 0, end = sizeBytes } = {}) {
      yield bytes.subarray(start, end)
      if (end > bytes.length) throw error
    },
  }
}
