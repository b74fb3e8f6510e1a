import { open } from 'node:fs/promises'
import type { Digest } from '../codec/codec.ts'
import { checkDigest, createDigester } from '../codec/digest.ts'

const READ_BYTES = 1024 * 1024

/**
 * Holds the file of an image against the digest that its manifest promises.
 * @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG`, `BODY_DIGEST_MISMATCH`
 */
export async function hashImage(file: string, expect: Digest, signal: AbortSignal): Promise<Digest> {
  const digester = createDigester()
  const handle = await open(file, 'r')
  try {
    // One is read while the other is hashed.
    let [ready, next] = [Buffer.allocUnsafeSlow(READ_BYTES), Buffer.allocUnsafeSlow(READ_BYTES)]
    let { bytesRead } = await handle.read(ready, 0, READ_BYTES, 0)
    for (let position = bytesRead; bytesRead > 0; position += bytesRead) {
      signal.throwIfAborted()
      const reading = handle.read(next, 0, READ_BYTES, position)
      digester.update(ready.subarray(0, bytesRead))
      bytesRead = (await reading).bytesRead
      const filled = next
      next = ready
      ready = filled
    }
  } finally {
    await handle.close()
  }
  const digest = digester.digest()
  checkDigest('plain', digest, expect)
  return digest
}
