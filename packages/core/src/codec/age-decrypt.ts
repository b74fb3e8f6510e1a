import { BackupError } from '../errors.ts'
import { readHeader, unwrapFileKey } from './age-header.ts'
import { derivePayloadKey, openChunk, payloadNonceBytes, sealedChunkBytes, tagBytes } from './age-payload.ts'
import type { ByteReader } from './byte-reader.ts'
import type { DecryptionKeys } from './codec.ts'

/**
 * What an age file holds, chunk by authenticated chunk.
 *
 * @throws BackupError `IDENTITY_MISSING`, `DECRYPTION_FAILED`, `BODY_TRUNCATED`, `BODY_TOO_LONG` or `BODY_UNSUPPORTED`.
 */
export async function* decryptAge(reader: ByteReader, keys: DecryptionKeys | undefined): AsyncIterable<Buffer> {
  const fileKey = await unwrapFileKey(await readHeader(reader), keys)
  const nonce = await reader.read(payloadNonceBytes)
  if (nonce.length < payloadNonceBytes) throw new BackupError('BODY_TRUNCATED', 'The body ends behind its age header.')
  const key = derivePayloadKey(fileKey, nonce)
  let sealed = await reader.read(sealedChunkBytes)
  for (let index = 0; ; index += 1) {
    const next = sealed.length < sealedChunkBytes ? undefined : await reader.read(sealedChunkBytes)
    const isLast = next === undefined || next.length === 0
    yield unsealChunk(key, index, isLast, sealed)
    if (isLast) return
    sealed = next
  }
}

/** @throws BackupError that says whether the chunk is damaged, or the body was cut or extended around it. */
export function unsealChunk(key: Buffer, index: number, isLast: boolean, sealed: Buffer): Buffer {
  if (sealed.length < tagBytes)
    throw new BackupError('BODY_TRUNCATED', `The body ends inside chunk ${index} of its age payload.`)
  const plain = openChunk(key, index, isLast, sealed)
  if (plain !== undefined) {
    if (plain.length > 0 || index === 0) return plain
    throw new BackupError('DECRYPTION_FAILED', 'The last chunk of the age payload is empty, which age forbids.')
  }
  if (openChunk(key, index, !isLast, sealed) !== undefined) {
    throw isLast
      ? new BackupError(
          'BODY_TRUNCATED',
          `The body ends behind chunk ${index}, which is not the last of its age payload.`,
        )
      : new BackupError('BODY_TOO_LONG', `The body goes on behind chunk ${index}, the last of its age payload.`)
  }
  const message = `Chunk ${index} of the age payload fails its authentication: it was changed, moved or cut.`
  throw new BackupError('DECRYPTION_FAILED', message)
}
