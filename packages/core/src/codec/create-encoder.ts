import { BackupError } from '../errors.ts'
import { createAgeStage } from './age-encrypt.ts'
import type { EncodeOptions, Encoder, EncodeSink } from './codec.ts'
import { createGzipStage, createPlainStage, createZstdStage, type Stage } from './compress.ts'
import { createDigester, createPieceDigester, type Piece } from './digest.ts'

/** Frames are compressed and decompressed whole, in memory. */
export const maxFrameSizeBytes = 16 * 1024 * 1024

/**
 * Packs a database image into a body: hash, compress, encrypt, hash again. Memory is bounded by
 * `frameSizeBytes` and `inFlight`, whatever the size of the database.
 *
 * @throws BackupError `CONFIG_INVALID` for options out of range.
 * @example
 * const encoder = await createEncoder(options, { write: (chunk) => file.append(chunk) })
 * for await (const chunk of image) await encoder.write(chunk)
 * const { plain, stored } = await encoder.end()
 */
export async function createEncoder(options: EncodeOptions, sink: EncodeSink): Promise<Encoder> {
  checkOptions(options)
  const stored = createDigester()
  // An unpacked body is the image: hashed once.
  const plain = options.compression === 'none' && options.encryption === undefined ? stored : createDigester()
  const pieces = sink.onPiece === undefined ? undefined : createPieceDigester(options.pieceSizeBytes)
  const announce = (done: readonly Piece[] | undefined): void => {
    for (const piece of done ?? []) sink.onPiece?.(piece.index, piece.sha256)
  }
  const store = async (chunk: Uint8Array): Promise<void> => {
    // The digests are made while the write is under way.
    const written = sink.write(chunk)
    stored.update(chunk)
    const done = pieces?.update(chunk)
    await written
    announce(done)
  }
  const encrypt =
    options.encryption === undefined ? createPlainStage(store) : await createAgeStage(options.encryption, store)
  const compress = createCompressStage(options, encrypt.write)
  return {
    async write(chunk) {
      if (plain !== stored) plain.update(chunk)
      await compress.write(chunk)
    },
    async end() {
      await compress.end()
      await encrypt.end()
      announce(pieces?.end())
      const storedDigest = stored.digest()
      return { plain: plain === stored ? storedDigest : plain.digest(), stored: storedDigest }
    },
    destroy() {
      compress.destroy()
      encrypt.destroy()
    },
  }
}

function createCompressStage(options: EncodeOptions, write: (chunk: Uint8Array) => Promise<void>): Stage {
  if (options.compression === 'zst') return createZstdStage(options, write)
  if (options.compression === 'gz') return createGzipStage(options, write)
  return createPlainStage(write)
}

function checkOptions({ compression, level, frameSizeBytes, inFlight, pieceSizeBytes }: EncodeOptions): void {
  const maxLevel = { zst: 19, gz: 9, none: Number.POSITIVE_INFINITY }[compression]
  if (compression !== 'none' && !isWithin(level, 1, maxLevel)) {
    throw new BackupError('CONFIG_INVALID', `Compression level ${level} is not one of 1 to ${maxLevel}.`)
  }
  if (!isWithin(frameSizeBytes, 1024, maxFrameSizeBytes)) {
    throw new BackupError('CONFIG_INVALID', `A frame of ${frameSizeBytes} bytes is not one of 1 KiB to 16 MiB.`)
  }
  if (!isWithin(inFlight, 1, 64))
    throw new BackupError('CONFIG_INVALID', `${inFlight} frames in flight is not 1 to 64.`)
  if (!isWithin(pieceSizeBytes, 1, Number.MAX_SAFE_INTEGER)) {
    throw new BackupError('CONFIG_INVALID', `A piece of ${pieceSizeBytes} bytes cannot be.`)
  }
}

function isWithin(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}
