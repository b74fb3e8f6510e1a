import { constants, crc32, createDeflateRaw, createZstdCompress } from 'node:zlib'
import { BackupError } from '../errors.ts'
import { createFrameLanes } from './frame-lanes.ts'
import { packFrame } from './pack-frame.ts'
import { encodeSeekTable, measureFrame, type SeekEntry } from './zstd-format.ts'

/** One stage of the encoder: bytes in, bytes out to the next stage. */
export interface Stage {
  write(chunk: Uint8Array): Promise<void>
  end(): Promise<void>
  destroy(): void
}

export interface CompressOptions {
  readonly level: number
  readonly frameSizeBytes: number
  readonly inFlight: number
}

type Write = (chunk: Uint8Array) => Promise<void>

/** The zstd seekable format: independent frames with content size and checksum, then the seek table. */
export function createZstdStage({ level, frameSizeBytes, inFlight }: CompressOptions, write: Write): Stage {
  // Never ZSTD_c_nbWorkers: Node's async API then returns an empty buffer (https://github.com/nodejs/node/issues/59899).
  const params = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_checksumFlag]: 1,
    [constants.ZSTD_c_contentSizeFlag]: 1,
  }
  const entries: SeekEntry[] = []
  const lanes = createFrameLanes({
    frameSizeBytes,
    inFlight,
    async pack(frame) {
      if (frame.length === 0) return frame
      const stream = createZstdCompress({
        params,
        flush: constants.ZSTD_e_end,
        pledgedSrcSize: frame.length,
        chunkSize: boundOf(frame.length),
      })
      const packed = await packFrame(stream, frame)
      // Node's zstd has lost and added bytes before; a frame that is not exactly one is never written.
      if (measureFrame(packed) === packed.length) return packed
      throw new BackupError('INTERNAL', 'Node compressed a frame into something that is no zstd frame.')
    },
    async emit(packed, plainBytes) {
      if (plainBytes === 0) return
      const checksum = new DataView(packed.buffer, packed.byteOffset + packed.length - 4, 4).getUint32(0, true)
      entries.push({ storedBytes: packed.length, plainBytes, checksum })
      await write(packed)
    },
  })
  return {
    write: lanes.write,
    async end() {
      await lanes.end()
      await write(encodeSeekTable(entries))
    },
    destroy: lanes.destroy,
  }
}

/**
 * One gzip member whose deflate blocks are made in parallel: each frame ends on a byte (a sync flush), so the pieces
 * join into one stream, as RFC 1951 allows and pigz does.
 */
export function createGzipStage({ level, frameSizeBytes, inFlight }: CompressOptions, write: Write): Stage {
  let checksum = 0
  let plainBytes = 0
  let isStarted = false
  const lanes = createFrameLanes({
    frameSizeBytes,
    inFlight,
    pack(frame, isLast) {
      const flush = isLast ? constants.Z_FINISH : constants.Z_SYNC_FLUSH
      return packFrame(createDeflateRaw({ level, flush, chunkSize: boundOf(frame.length) }), frame)
    },
    async emit(packed) {
      if (!isStarted) {
        isStarted = true
        // RFC 1952: magic, deflate, no flags, no time, no extra flags, unknown system.
        await write(Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]))
      }
      await write(packed)
    },
  })
  return {
    async write(chunk) {
      checksum = crc32(chunk, checksum)
      plainBytes += chunk.length
      await lanes.write(chunk)
    },
    async end() {
      await lanes.end()
      const trailer = Buffer.allocUnsafe(8)
      trailer.writeUInt32LE(checksum, 0)
      trailer.writeUInt32LE(plainBytes % 2 ** 32, 4)
      await write(trailer)
    },
    destroy: lanes.destroy,
  }
}

/** The database file itself. */
export function createPlainStage(write: Write): Stage {
  return { write, end: () => Promise.resolve(), destroy: () => undefined }
}

/** Room for the worst case, so that the output is one buffer made in one go on the thread pool. */
function boundOf(plainBytes: number): number {
  return plainBytes + (plainBytes >> 8) + 1024
}
