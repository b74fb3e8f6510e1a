import { BackupError } from '../errors.ts'
import { type ByteReader, createByteReader } from './byte-reader.ts'
import type { DecodeOptions } from './codec.ts'
import { checkDigest, checkNotLonger, createDigester, type Digester } from './digest.ts'
import { decodeGzip } from './gzip-decode.ts'
import { decodeZstd } from './zstd-decode.ts'

/**
 * The database image out of a body, in order. Nothing that came out may be published before the iterator has
 * finished: the last checks are made at the end. Memory is bounded for any body.
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
): AsyncGenerator<Uint8Array, void, undefined> {
  const { expect = {} } = options
  if (options.encrypted) throw new BackupError('BODY_UNSUPPORTED', 'Decryption is not built yet.')
  const stored = createDigester()
  const plain = createDigester()
  const reader = createByteReader(digestStored(input, stored, options))
  try {
    for await (const chunk of decompress(reader, options)) {
      plain.update(chunk)
      checkNotLonger('plain', plain.sizeBytes, expect.plain)
      yield chunk
    }
    if ((await reader.readSome(1)) !== undefined) {
      throw new BackupError('BODY_TOO_LONG', 'Bytes follow the end of the body.')
    }
    checkDigest('stored', stored.digest(), expect.stored)
    checkDigest('plain', plain.digest(), expect.plain)
  } finally {
    await reader.close()
  }
}

function decompress(reader: ByteReader, options: DecodeOptions): AsyncIterable<Uint8Array> {
  const { compression, expect, inFlight = 2, foreign = expect?.plain !== undefined } = options
  if (compression === 'zst') {
    const checkDeclared = (plainBytes: number): void => checkNotLonger('plain', plainBytes, expect?.plain)
    return decodeZstd(reader, { isForeign: foreign, inFlight, checkDeclared })
  }
  if (compression === 'gz') return decodeGzip(reader)
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
}
