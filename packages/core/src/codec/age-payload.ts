import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto'
import { freeBuffer } from './free-buffer.ts'

/**
 * age's payload: ChaCha20-Poly1305 over chunks of 64 KiB, each with its index and a mark on the last one, so that any
 * chunk opens by itself and a missing, moved or added chunk does not. https://c2sp.org/age#payload
 */
export const plainChunkBytes = 64 * 1024
export const tagBytes = 16
export const sealedChunkBytes = plainChunkBytes + tagBytes
/** Between header and chunks. */
export const payloadNonceBytes = 16

/** The key of all chunks, out of the header's file key and the nonce that follows the header. */
export function derivePayloadKey(fileKey: Uint8Array, nonce: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, nonce, 'payload', 32))
}

/** Seals one chunk into `target` at `at`; returns the bytes written. */
export function sealChunk(
  key: Buffer,
  index: number,
  isLast: boolean,
  plain: Uint8Array,
  target: Buffer,
  at: number,
): number {
  const cipher = createCipheriv('chacha20-poly1305', key, chunkNonce(index, isLast), { authTagLength: tagBytes })
  const sealed = cipher.update(plain)
  target.set(sealed, at)
  freeBuffer(sealed)
  cipher.final()
  target.set(cipher.getAuthTag(), at + plain.length)
  return plain.length + tagBytes
}

/** Opens one chunk; undefined when its tag does not fit key, index, mark and bytes. */
export function openChunk(key: Buffer, index: number, isLast: boolean, sealed: Buffer): Buffer | undefined {
  const decipher = createDecipheriv('chacha20-poly1305', key, chunkNonce(index, isLast), { authTagLength: tagBytes })
  const plain = decipher.update(sealed.subarray(0, -tagBytes))
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  try {
    decipher.final()
  } catch {
    // node:crypto tells a wrong tag by throwing here, and nothing else.
    return undefined
  }
  return plain
}

/** How many chunks a payload of this size has, and the plain bytes in them; undefined when no payload has this size. */
export function measurePayload(
  sealedBytes: number,
): { readonly chunkCount: number; readonly plainBytes: number } | undefined {
  const chunkCount = Math.ceil(sealedBytes / sealedChunkBytes)
  const lastBytes = sealedBytes - (chunkCount - 1) * sealedChunkBytes
  if (chunkCount < 1 || lastBytes < tagBytes || (lastBytes === tagBytes && chunkCount > 1)) return undefined
  return { chunkCount, plainBytes: sealedBytes - chunkCount * tagBytes }
}

/** Eleven bytes of big-endian index, one byte that marks the last chunk. */
function chunkNonce(index: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUIntBE(index, 5, 6)
  nonce.writeUInt8(isLast ? 1 : 0, 11)
  return nonce
}
