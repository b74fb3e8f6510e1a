import { BackupError } from '../errors.ts'
import { unsealChunk } from './age-decrypt.ts'
import { readHeader, unwrapFileKey } from './age-header.ts'
import {
  derivePayloadKey,
  measurePayload,
  payloadNonceBytes,
  plainChunkBytes,
  sealedChunkBytes,
} from './age-payload.ts'
import { createByteReader } from './byte-reader.ts'
import type { DecryptionKeys } from './codec.ts'
import type { RangeSource } from './open-body.ts'

/** Reads at most this much of a body in search of the end of its header. */
const headerStepBytes = 16 * 1024

/** An age file's content by range: each chunk opens by itself. The last one is opened first, so a cut shows at once. */
export async function openAgeRange(source: RangeSource, keys: DecryptionKeys | undefined): Promise<RangeSource> {
  const reader = createByteReader(readForward(source))
  const header = await readHeader(reader)
  const nonce = await reader.read(payloadNonceBytes)
  await reader.close()
  const payloadStart = header.length + payloadNonceBytes
  const payload = measurePayload(source.sizeBytes - payloadStart)
  if (nonce.length < payloadNonceBytes || payload === undefined) {
    throw new BackupError(
      'BODY_TRUNCATED',
      `No age payload is ${source.sizeBytes - payloadStart} bytes long: the body was cut.`,
    )
  }
  const { chunkCount, plainBytes } = payload
  const key = derivePayloadKey(await unwrapFileKey(header, keys), nonce)

  const read = async (start: number, end: number): Promise<Uint8Array> => {
    const first = Math.floor(start / plainChunkBytes)
    const last = Math.min(chunkCount - 1, Math.floor((end - 1) / plainChunkBytes))
    const sealedStart = payloadStart + first * sealedChunkBytes
    const sealedEnd = Math.min(source.sizeBytes, payloadStart + (last + 1) * sealedChunkBytes)
    const sealed = Buffer.from(await source.read(sealedStart, sealedEnd))
    const chunks: Buffer[] = []
    for (let index = first; index <= last; index += 1) {
      const at = (index - first) * sealedChunkBytes
      chunks.push(unsealChunk(key, index, index === chunkCount - 1, sealed.subarray(at, at + sealedChunkBytes)))
    }
    const skip = start - first * plainChunkBytes
    return Buffer.concat(chunks).subarray(skip, skip + end - start)
  }

  await read(Math.max(0, plainBytes - 1), Math.max(1, plainBytes))
  return {
    sizeBytes: plainBytes,
    read: (start, end) => (start < end ? read(start, end) : Promise.resolve(Buffer.alloc(0))),
  }
}

async function* readForward(source: RangeSource): AsyncIterable<Uint8Array> {
  for (let at = 0; at < source.sizeBytes; at += headerStepBytes) {
    yield await source.read(at, Math.min(source.sizeBytes, at + headerStepBytes))
  }
}
