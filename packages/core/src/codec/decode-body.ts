import { BackupError } from '../errors.ts'
import { decryptAge } from './age-decrypt.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import type { DecodeOptions, DecodeResult } from './codec.ts'
import {
  type Counter,
  checkDigest,
  checkNotLonger,
  checkNotShorter,
  createCounter,
  createDigester,
  type Digester,
} from './digest.ts'
import { decodeGzip } from './gzip-decode.ts'
import { decodeZstd } from './zstd-decode.ts'

/**
 * The database image out of a body, in order. Nothing that came out may be published before the iterator has
 * finished: the last checks are made at the end, and the digests of both sides returned. Memory is bounded for any body.
 *
 * @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG`, `BODY_CORRUPT`, `BODY_DIGEST_MISMATCH`, `BODY_UNSUPPORTED`,
 * `DECRYPTION_FAILED` or `IDENTITY_MISSING`.
 * @example
 * for await (const chunk of decodeBody(object.stream, { compression: 'zst', encrypted: false, expect: manifest })) {
 *   await file.write(chunk)
 * }
 */
export async function* decodeBody(
  input: AsyncIterable<Uint8Array>,
  options: DecodeOptions,
): AsyncGenerator<Uint8Array, DecodeResult, undefined> {
  const { expect = {} } = options
  const stored = createDigester()
  // An unpacked body is the image: hashed once.
  const isImage = options.compression === 'none' && !options.encrypted
  const plain: Counter = isImage ? stored : options.leavesPlainDigest ? createCounter() : createDigester()
  const storedReader = createByteReader(digestStored(input, stored, options))
  const reader = options.encrypted ? createByteReader(decryptAge(storedReader, options.keys)) : storedReader
  try {
    for await (const chunk of decompress(reader, options)) {
      if (plain !== stored) plain.update(chunk)
      checkNotLonger('plain', plain.sizeBytes, expect.plain)
      yield chunk
    }
    if ((await reader.readSome(1)) !== undefined) {
      throw new BackupError('BODY_TOO_LONG', 'Bytes follow the end of the body.')
    }
    const storedDigest = stored.digest()
    checkDigest('stored', storedDigest, expect.stored)
    const plainDigest = plain === stored ? storedDigest : plain.digest?.()
    if (plainDigest === undefined) checkNotShorter('plain', plain.sizeBytes, expect.plain)
    else checkDigest('plain', plainDigest, expect.plain)
    return { plain: plainDigest ?? { sizeBytes: plain.sizeBytes }, stored: storedDigest }
  } finally {
    await reader.close()
    await storedReader.close()
  }
}

function decompress(reader: ByteReader, options: DecodeOptions): AsyncIterable<Uint8Array> {
  const { compression, expect, inFlight = 2, foreign = expect?.plain !== undefined, freeChunks = false } = options
  if (compression === 'zst') {
    const checkDeclared = (plainBytes: number): void => checkNotLonger('plain', plainBytes, expect?.plain)
    return decodeZstd(reader, { isForeign: foreign, inFlight, freeChunks, checkDeclared })
  }
  if (compression === 'gz') return decodeGzip(reader, { isForeign: foreign })
  return readAll(reader)
}

async function* readAll(reader: ByteReader): AsyncIterable<Uint8Array> {
  for (;;) {
    const chunk = await reader.readSome(1024 * 1024)
    if (chunk === undefined) return
    yield chunk
  }
}

async function* digestStored(
  input: AsyncIterable<Uint8Array>,
  stored: Digester,
  { expect }: DecodeOptions,
): AsyncIterable<Uint8Array> {
  for await (const chunk of input) {
    stored.update(chunk)
    checkNotLonger('stored', stored.sizeBytes, expect?.stored)
    yield chunk
  }
  // Said here, before a decoder finds something odd about the cut.
  checkNotShorter('stored', stored.sizeBytes, expect?.stored)
}
