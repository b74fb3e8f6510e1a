import { pipeline, Readable } from 'node:stream'
import { constants, createZstdDecompress } from 'node:zlib'
import { BackupError, isBackupError, messageOf } from '../errors.ts'
import type { ByteReader } from './byte-reader.ts'
import { freedChunkBytes, heldChunkBytes } from './codec.ts'
import { freeBuffer } from './free-buffer.ts'
import { packFrame } from './pack-frame.ts'
import { type WalkedFrame, walkFrames } from './zstd-walk.ts'

/** A frame up to this size is decompressed in one piece on the thread pool; a larger one is streamed. */
export const maxWholeFrameBytes = 16 * 1024 * 1024
/** What `zstd -d` accepts without --long. */
const maxWindowLog = 27

export interface ZstdDecodeOptions {
  readonly isForeign: boolean
  readonly inFlight: number
  /** Give the memory of chunks back: see `DecodeOptions.freeChunks`. */
  readonly freeChunks: boolean
  /** Called with a frame's declared size before anything is allocated for it. */
  checkDeclared(plainBytes: number): void
}

/**
 * Plain bytes of a `.zst` body, frames decompressed in parallel and handed on in order.
 *
 * @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG`, `BODY_CORRUPT` or `BODY_UNSUPPORTED`.
 */
export async function* decodeZstd(reader: ByteReader, options: ZstdDecodeOptions): AsyncIterable<Uint8Array> {
  const pending: Promise<Uint8Array>[] = []
  const spent = createSpent(options.freeChunks)
  let declaredBytes = 0
  try {
    for await (const frame of walkFrames(reader, options)) {
      const { contentBytes, windowBytes } = frame.header
      declaredBytes += contentBytes ?? 0
      options.checkDeclared(declaredBytes)
      if (contentBytes !== undefined && contentBytes <= maxWholeFrameBytes) {
        const stored = await collect(frame, contentBytes)
        frame.settle(contentBytes)
        const plain = decompressFrame(stored, frame.index, contentBytes).finally(() => freeBuffer(stored))
        // Its failure is thrown when its turn comes.
        plain.catch(() => undefined)
        pending.push(plain)
        while (pending.length > options.inFlight) yield* handOver(pending, spent)
        continue
      }
      if (windowBytes > 2 ** maxWindowLog) {
        throw new BackupError(
          'BODY_UNSUPPORTED',
          `Frame ${frame.index} needs a window of ${windowBytes} bytes in memory.`,
          {
            hint: `At most ${2 ** maxWindowLog} are allowed. Pack it again without --long or --ultra.`,
          },
        )
      }
      while (pending.length > 0) yield* handOver(pending, spent)
      yield* streamFrame(frame)
    }
    while (pending.length > 0) yield* handOver(pending, spent)
  } finally {
    await Promise.allSettled(pending)
  }
}

/** The oldest frame under way, once it is decompressed. */
async function* handOver(pending: Promise<Uint8Array>[], spent: Spent): AsyncIterable<Uint8Array> {
  const plain = await pending.shift()
  if (plain === undefined) return
  yield plain
  spent.add(plain)
}

/** Chunks that were handed out: the last ones may still be in use, those before are not. */
interface Spent {
  add(chunk: Uint8Array): void
}

function createSpent(freeChunks: boolean): Spent {
  const held: Uint8Array[] = []
  let heldBytes = 0
  return {
    add(chunk) {
      if (!freeChunks || chunk.length < freedChunkBytes) return
      held.push(chunk)
      heldBytes += chunk.length
      while (held.length > 1 && heldBytes > heldChunkBytes) {
        const oldest = held.shift() ?? chunk
        heldBytes -= oldest.length
        freeBuffer(oldest)
      }
    },
  }
}

/** One whole frame on the thread pool. */
export async function decompressFrame(stored: Uint8Array, index: number, contentBytes: number): Promise<Uint8Array> {
  // One byte more than needed: Node allocates another chunk when the first one is exactly filled.
  const decoder = createZstdDecompress({ chunkSize: Math.max(64, contentBytes + 1) })
  const plain = await packFrame(decoder, stored, contentBytes).catch((error: unknown) => {
    throw frameError(error, index)
  })
  if (plain.length === contentBytes) return plain
  throw sizeError(index, plain.length, contentBytes)
}

async function collect(frame: WalkedFrame, contentBytes: number): Promise<Buffer> {
  // Compressed blocks never grow much: more bytes than this are padding that only costs memory.
  const maxStoredBytes = contentBytes + (contentBytes >> 4) + 64 * 1024
  const parts: Buffer[] = []
  let storedBytes = 0
  for await (const part of frame.stored()) {
    storedBytes += part.length
    if (storedBytes > maxStoredBytes) {
      throw new BackupError('BODY_CORRUPT', `Frame ${frame.index} is longer than its ${contentBytes} bytes can need.`)
    }
    parts.push(part)
  }
  return Buffer.concat(parts, storedBytes)
}

/** A frame too large for one piece, or of unknown size: memory is bounded by its window. */
async function* streamFrame(frame: WalkedFrame): AsyncIterable<Uint8Array> {
  const { index, header } = frame
  const decoder = createZstdDecompress({
    chunkSize: 256 * 1024,
    params: { [constants.ZSTD_d_windowLogMax]: maxWindowLog },
  })
  let plainBytes = 0
  const source = Readable.from(frame.stored(), { objectMode: false, highWaterMark: 256 * 1024 })
  // The iteration below sees the error; the callback only keeps it from being unhandled.
  const output = pipeline(source, decoder, () => undefined)
  try {
    for await (const chunk of output as AsyncIterable<Uint8Array>) {
      plainBytes += chunk.length
      yield chunk
    }
  } catch (error) {
    throw frameError(error, index)
  }
  if (header.contentBytes !== undefined && plainBytes !== header.contentBytes) {
    throw sizeError(index, plainBytes, header.contentBytes)
  }
  frame.settle(plainBytes)
}

function sizeError(index: number, plainBytes: number, contentBytes: number): BackupError {
  return new BackupError(
    'BODY_CORRUPT',
    `Frame ${index} holds ${plainBytes} bytes; its header declares ${contentBytes}.`,
  )
}

function frameError(error: unknown, index: number): unknown {
  if (isBackupError(error)) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'ZSTD_error_checksum_wrong') {
    return new BackupError('BODY_CORRUPT', `The content checksum of frame ${index} is wrong.`, { cause: error })
  }
  if (code === 'ZSTD_error_memory_allocation') return error
  return new BackupError('BODY_CORRUPT', `Frame ${index} does not decompress: ${messageOf(error)}`, { cause: error })
}
