import { randomBytes } from 'node:crypto'
import { wrapFileKey } from './age-header.ts'
import {
  derivePayloadKey,
  payloadNonceBytes,
  plainChunkBytes,
  sealChunk,
  sealedChunkBytes,
  tagBytes,
} from './age-payload.ts'
import type { Encryption } from './codec.ts'
import type { Stage } from './compress.ts'
import { freeBuffer } from './free-buffer.ts'

/** Turns what is written into an age file. */
export async function createAgeStage(
  encryption: Encryption,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<Stage> {
  const { header, fileKey } = await wrapFileKey(encryption)
  const nonce = randomBytes(payloadNonceBytes)
  const key = derivePayloadKey(fileKey, nonce)
  // What is written waits here until more comes: the last chunk is sealed differently and must not be empty.
  const held = Buffer.allocUnsafe(plainChunkBytes)
  let heldBytes = 0
  let index = 0
  let isStarted = false

  const start = async (): Promise<void> => {
    if (isStarted) return
    isStarted = true
    await write(Buffer.concat([header, nonce]))
  }

  return {
    async write(chunk) {
      if (chunk.length === 0) return
      await start()
      const chunkCount = Math.floor((heldBytes + chunk.length - 1) / plainChunkBytes)
      const sealed = Buffer.allocUnsafe(chunkCount * sealedChunkBytes)
      let offset = 0
      for (let at = 0; at < sealed.length; index += 1) {
        let plain = chunk.subarray(offset, offset + plainChunkBytes)
        if (heldBytes > 0) {
          plain = chunk.subarray(offset, offset + plainChunkBytes - heldBytes)
          held.set(plain, heldBytes)
        }
        offset += plain.length
        at += sealChunk(key, index, false, heldBytes > 0 ? held : plain, sealed, at)
        heldBytes = 0
      }
      held.set(chunk.subarray(offset), heldBytes)
      heldBytes += chunk.length - offset
      if (sealed.length > 0) await write(sealed)
      freeBuffer(sealed)
    },
    async end() {
      await start()
      const sealed = Buffer.allocUnsafe(heldBytes + tagBytes)
      sealChunk(key, index, true, held.subarray(0, heldBytes), sealed, 0)
      await write(sealed)
    },
    destroy: () => undefined,
  }
}
