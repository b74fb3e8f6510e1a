import { generateIdentity, identityToRecipient } from 'age-encryption'
import type { DecodeOptions, EncodeOptions, EncodeResult } from './codec.ts'
import { createEncoder } from './create-encoder.ts'
import { decodeBody } from './decode-body.ts'

/** For this room's tests: bodies in memory, and what comes out of them. */

export const smallFrames: EncodeOptions = {
  compression: 'zst',
  level: 3,
  frameSizeBytes: 4096,
  inFlight: 2,
  pieceSizeBytes: 1000,
}

export interface PackedBody extends EncodeResult {
  readonly body: Buffer
  /** SHA-256 of each piece, hex. */
  readonly pieces: readonly string[]
}

/** Packs bytes, written in chunks of `chunkBytes`. */
export async function pack(
  plain: Uint8Array,
  options: Partial<EncodeOptions> = {},
  chunkBytes = 3000,
): Promise<PackedBody> {
  const parts: Buffer[] = []
  const pieces: string[] = []
  const encoder = await createEncoder(
    { ...smallFrames, ...options },
    {
      write(chunk) {
        parts.push(Buffer.from(chunk))
        return Promise.resolve()
      },
      onPiece(index, sha256) {
        pieces[index] = Buffer.from(sha256).toString('hex')
      },
    },
  )
  for (let at = 0; at < plain.length; at += chunkBytes) await encoder.write(plain.subarray(at, at + chunkBytes))
  const result = await encoder.end()
  return { ...result, body: Buffer.concat(parts), pieces }
}

/** Unpacks a body that arrives in chunks of `chunkBytes`. */
export async function unpack(
  body: Uint8Array,
  options: Partial<DecodeOptions> = {},
  chunkBytes = 5000,
): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const chunk of decodeBody(inChunks(body, chunkBytes), {
    compression: 'zst',
    encrypted: false,
    ...options,
  })) {
    parts.push(Buffer.from(chunk))
  }
  return Buffer.concat(parts)
}

/** The code `unpack` fails with; `undefined` when it does not fail. Anything but a BackupError is thrown on. */
export async function refusal(body: Uint8Array, options: Partial<DecodeOptions> = {}): Promise<string | undefined> {
  try {
    await unpack(body, options)
    return undefined
  } catch (error) {
    if (error instanceof Error && error.name === 'BackupError' && 'code' in error) return String(error.code)
    throw error
  }
}

export async function* inChunks(bytes: Uint8Array, chunkBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes)
}

/** Bytes like a database's: text that compresses, noise that does not, zeros. The same on every call. */
export function samplePlain(sizeBytes: number, seed = 1): Buffer {
  const plain = Buffer.alloc(sizeBytes)
  let state = seed
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return state >>> 16
  }
  for (let page = 0; page * 1024 < sizeBytes; page += 1) {
    const kind = next() % 4
    for (let at = page * 1024; at < Math.min(sizeBytes, (page + 1) * 1024); at += 1) {
      if (kind === 0) plain[at] = next() & 0xff
      else if (kind < 3) plain[at] = 97 + (next() % 3)
    }
  }
  return plain
}

export interface KeyPair {
  readonly identity: string
  readonly recipient: string
}

export async function makeKeyPair(): Promise<KeyPair> {
  const identity = await generateIdentity()
  return { identity, recipient: await identityToRecipient(identity) }
}
