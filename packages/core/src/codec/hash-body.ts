import type { Digest } from './codec.ts'
import { checkDigest, checkNotLonger, createDigester } from './digest.ts'

/**
 * The digest of a body as stored, for the level `checked` of verify.
 *
 * @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG` or `BODY_DIGEST_MISMATCH` when it is not what was expected.
 */
export async function hashBody(input: AsyncIterable<Uint8Array>, expect?: Digest): Promise<Digest> {
  const stored = createDigester()
  for await (const chunk of input) {
    stored.update(chunk)
    checkNotLonger('stored', stored.sizeBytes, expect)
  }
  const digest = stored.digest()
  checkDigest('stored', digest, expect)
  return digest
}
