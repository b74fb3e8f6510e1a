import { BackupError } from '../errors.ts'
import { openAgeRange } from './age-range.ts'
import type { DecodeOptions } from './codec.ts'
import { openZstdRange } from './zstd-range.ts'

/** Bytes that can be read anywhere: a file, or an object read by range. */
export interface RangeSource {
  readonly sizeBytes: number
  /** Bytes `start` (inclusive) to `end` (exclusive), all of them. */
  read(start: number, end: number): Promise<Uint8Array>
}

/**
 * Opens a body for reading parts of the database image in it: only the frames and chunks that hold them are read.
 * What is read is authenticated or checked frame by frame, but not against the manifest's SHA-256 of the whole.
 *
 * @throws BackupError as `decodeBody` does, and `BODY_UNSUPPORTED` for gzip, which has no index.
 * @example
 * const image = await openBody({ sizeBytes, read }, { compression: 'zst', encrypted: false })
 * const header = await image.read(0, 100)
 */
export async function openBody(source: RangeSource, options: DecodeOptions): Promise<RangeSource> {
  const { compression, encrypted, keys, expect = {} } = options
  checkSize('stored', source.sizeBytes, expect.stored?.sizeBytes)
  const exact = exactly(source)
  const packed = encrypted ? await openAgeRange(exact, keys) : exact
  const image = await openCompressed(packed, compression)
  checkSize('plain', image.sizeBytes, expect.plain?.sizeBytes)
  return image
}

function openCompressed(packed: RangeSource, compression: DecodeOptions['compression']): Promise<RangeSource> {
  if (compression === 'zst') return openZstdRange(packed)
  if (compression === 'none') return Promise.resolve(packed)
  throw new BackupError('BODY_UNSUPPORTED', 'A gzip body has no index: it can only be read from start to end.')
}

function exactly(source: RangeSource): RangeSource {
  return {
    sizeBytes: source.sizeBytes,
    async read(start, end) {
      if (start < 0 || end > source.sizeBytes || start > end) {
        throw new BackupError('BODY_TRUNCATED', `Bytes ${start} to ${end} lie outside the body's ${source.sizeBytes}.`)
      }
      if (start === end) return new Uint8Array(0)
      const bytes = await source.read(start, end)
      if (bytes.length === end - start) return bytes
      throw new BackupError('BODY_TRUNCATED', `Only ${bytes.length} of bytes ${start} to ${end} of the body came.`)
    },
  }
}

function checkSize(subject: 'stored' | 'plain', sizeBytes: number, promised: number | undefined): void {
  if (promised === undefined || sizeBytes === promised) return
  throw new BackupError(
    sizeBytes < promised ? 'BODY_TRUNCATED' : 'BODY_TOO_LONG',
    `The body has ${sizeBytes} ${subject} bytes; its manifest promises ${promised}.`,
  )
}
