import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Compression, DecodeOptions, Encryption } from './codec.ts'
import { createEncoder } from './create-encoder.ts'
import { decodeBody } from './decode-body.ts'
import { hashBody } from './hash-body.ts'
import { openBody, type RangeSource } from './open-body.ts'
import {
  inChunks,
  type KeyPair,
  makeKeyPair,
  type PackedBody,
  pack,
  samplePlain,
  smallFrames,
  unpack,
} from './testing-bodies.ts'

const passphrase = 'correct horse battery staple'
let keyPair: KeyPair
beforeAll(async () => {
  keyPair = await makeKeyPair()
})

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const compressions = fc.constantFrom<Compression>('zst', 'gz', 'none')
const lockKinds = fc.constantFrom<'open' | 'recipients' | 'passphrase'>('open', 'recipients', 'passphrase')

function encryptionOf(kind: 'open' | 'recipients' | 'passphrase'): { readonly encryption?: Encryption } {
  if (kind === 'open') return {}
  if (kind === 'recipients') return { encryption: { recipients: [keyPair.recipient] } }
  return { encryption: { passphrase, workFactor: 10 } }
}

function decodeOptions(compression: Compression, kind: 'open' | 'recipients' | 'passphrase'): DecodeOptions {
  if (kind === 'open') return { compression, encrypted: false }
  const keys = kind === 'recipients' ? { identities: [keyPair.identity] } : { passphrase }
  return { compression, encrypted: true, keys }
}

function rangeSource({ body }: PackedBody): RangeSource {
  return { sizeBytes: body.length, read: (start, end) => Promise.resolve(body.subarray(start, end)) }
}

describe('a body', () => {
  it('gives back exactly what went in, however both were cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          compression: compressions,
          kind: lockKinds,
          // Around the sizes where something ends: frames of 1 KiB and 4 KiB, age chunks of 64 KiB.
          size: fc.oneof(
            fc.integer({ min: 0, max: 20_000 }),
            fc.constantFrom(0, 1, 1024, 4096, 65_535, 65_536, 65_537, 131_072),
          ),
          seed: fc.integer({ min: 1, max: 1000 }),
          frameSizeBytes: fc.constantFrom(1024, 4096, 5000),
          inFlight: fc.integer({ min: 1, max: 4 }),
          writeBytes: fc.integer({ min: 1, max: 9000 }).map((bytes) => bytes + 50),
          readBytes: fc.integer({ min: 1, max: 9000 }).map((bytes) => bytes + 50),
        }),
        async ({ compression, kind, size, seed, frameSizeBytes, inFlight, writeBytes, readBytes }) => {
          const plain = samplePlain(size, seed)
          const packed = await pack(plain, { compression, frameSizeBytes, inFlight, ...encryptionOf(kind) }, writeBytes)
          expect(packed.plain).toEqual({ sizeBytes: size, sha256: sha256(plain) })
          expect(packed.stored).toEqual({ sizeBytes: packed.body.length, sha256: sha256(packed.body) })
          const options = { ...decodeOptions(compression, kind), inFlight }
          expect((await unpack(packed.body, options, readBytes)).equals(plain)).toBe(true)
          const held = { ...options, expect: { plain: packed.plain, stored: packed.stored } }
          expect((await unpack(packed.body, held, readBytes)).equals(plain)).toBe(true)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('comes in bytes of one, too', async () => {
    const plain = samplePlain(3000)
    for (const compression of ['zst', 'gz', 'none'] as const) {
      const { body } = await pack(plain, { compression, ...encryptionOf('recipients') }, 1)
      expect((await unpack(body, decodeOptions(compression, 'recipients'), 1)).equals(plain)).toBe(true)
    }
  })

  it('is announced piece by piece, with the digest of each', async () => {
    const { body, pieces } = await pack(samplePlain(20_000), { pieceSizeBytes: 1000 })
    const cuts = Array.from({ length: Math.ceil(body.length / 1000) }, (_, index) =>
      body.subarray(index * 1000, index * 1000 + 1000),
    )
    expect(pieces).toEqual(cuts.map(sha256))
  })

  it('is told by its digest alone', async () => {
    const { body, stored } = await pack(samplePlain(20_000))
    expect(await hashBody(inChunks(body, 700), stored)).toEqual(stored)
    expect(await hashBody(inChunks(body, 700))).toEqual(stored)
    await expect(hashBody(inChunks(body.subarray(1), 700), stored)).rejects.toMatchObject({ code: 'BODY_TRUNCATED' })
    await expect(hashBody(inChunks(Buffer.concat([body, body]), 700), stored)).rejects.toMatchObject({
      code: 'BODY_TOO_LONG',
    })
    const changed = Buffer.from(body)
    changed.writeUInt8(body.readUInt8(500) ^ 1, 500)
    await expect(hashBody(inChunks(changed, 700), stored)).rejects.toMatchObject({ code: 'BODY_DIGEST_MISMATCH' })
  })

  it('returns the digests of both sides when it has been unpacked', async () => {
    const packed = await pack(samplePlain(20_000), encryptionOf('recipients'))
    const iterator = decodeBody(inChunks(packed.body, 5000), decodeOptions('zst', 'recipients'))
    let next = await iterator.next()
    while (next.done !== true) next = await iterator.next()
    expect(next.value).toEqual({ plain: packed.plain, stored: packed.stored })
  })

  it('gives the memory of all but the last chunks back, if told to', async () => {
    const { body } = await pack(samplePlain(6_000_000), { frameSizeBytes: 1_000_000 })
    const chunks: Uint8Array[] = []
    const options: DecodeOptions = { compression: 'zst', encrypted: false, freeChunks: true }
    for await (const chunk of decodeBody(inChunks(body, 100_000), options)) {
      expect(chunk.length).toBe(1_000_000)
      chunks.push(chunk)
    }
    expect(chunks.map((chunk) => chunk.length)).toEqual([0, 0, 1_000_000, 1_000_000, 1_000_000, 1_000_000])
  })

  it('lets go of its source when the reader stops early', async () => {
    const { body } = await pack(samplePlain(200_000), encryptionOf('recipients'))
    let isReleased = false
    const source = async function* (): AsyncGenerator<Uint8Array> {
      try {
        yield* inChunks(body, 5000)
      } finally {
        isReleased = true
      }
    }
    for await (const chunk of decodeBody(source(), decodeOptions('zst', 'recipients'))) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    expect(isReleased).toBe(true)
  })
})

describe('a body read by range', () => {
  it('gives any part of the image', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom<Compression>('zst', 'none'),
        lockKinds,
        fc.integer({ min: 1, max: 200_000 }),
        fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true })), {
          minLength: 5,
          maxLength: 5,
        }),
        async (compression, kind, size, cuts) => {
          const plain = samplePlain(size, size)
          const packed = await pack(plain, { compression, frameSizeBytes: 8192, ...encryptionOf(kind) }, 50_000)
          const { plain: plainDigest, stored } = packed
          const options = { ...decodeOptions(compression, kind), expect: { plain: plainDigest, stored } }
          const image = await openBody(rangeSource(packed), options)
          expect(image.sizeBytes).toBe(size)
          for (const [a, b] of cuts) {
            const start = Math.floor(Math.min(a, b) * size)
            const end = Math.floor(Math.max(a, b) * size)
            expect(Buffer.from(await image.read(start, end)).equals(plain.subarray(start, end))).toBe(true)
          }
        },
      ),
      { numRuns: 60 },
    )
  })

  it('reads only the frames and chunks that hold the part', async () => {
    const plain = samplePlain(2_000_000)
    const packed = await pack(plain, { frameSizeBytes: 65_536, ...encryptionOf('recipients') }, 100_000)
    let readBytes = 0
    const source: RangeSource = {
      sizeBytes: packed.body.length,
      read(start, end) {
        readBytes += end - start
        return Promise.resolve(packed.body.subarray(start, end))
      },
    }
    const image = await openBody(source, decodeOptions('zst', 'recipients'))
    readBytes = 0
    expect(Buffer.from(await image.read(1_000_000, 1_004_096)).equals(plain.subarray(1_000_000, 1_004_096))).toBe(true)
    expect(readBytes).toBeGreaterThan(0)
    expect(readBytes).toBeLessThanOrEqual(3 * 65_552)
  })

  it('of gzip is refused, which has no index', async () => {
    const packed = await pack(samplePlain(9000), { compression: 'gz' })
    await expect(openBody(rangeSource(packed), decodeOptions('gz', 'open'))).rejects.toMatchObject({
      code: 'BODY_UNSUPPORTED',
    })
  })
})

describe('the encoder', () => {
  const nowhere = { write: () => Promise.resolve() }

  it('refuses options that cannot be', async () => {
    const wrong = [
      { level: 0 },
      { level: 20 },
      { compression: 'gz', level: 10 },
      { frameSizeBytes: 100 },
      { frameSizeBytes: 17 * 1024 * 1024 },
      { inFlight: 0 },
      { pieceSizeBytes: 0 },
      { encryption: { recipients: [] } },
      { encryption: { recipients: ['age1nonsense'] } },
      { encryption: { passphrase: '' } },
      { encryption: { passphrase: 'p', workFactor: 40 } },
    ] as const
    for (const options of wrong) {
      await expect(createEncoder({ ...smallFrames, ...options }, nowhere)).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
      })
    }
  })

  it('stops at the first write that fails, and says why', async () => {
    for (const compression of ['zst', 'gz', 'none'] as const) {
      const full = new Error('no space left')
      const encoder = await createEncoder({ ...smallFrames, compression }, { write: () => Promise.reject(full) })
      const feed = async (): Promise<unknown> => {
        for (let count = 0; count < 100; count += 1) await encoder.write(samplePlain(4096))
        return await encoder.end()
      }
      await expect(feed()).rejects.toBe(full)
      encoder.destroy()
    }
  })

  it('writes nothing more after it was destroyed', async () => {
    let writes = 0
    const encoder = await createEncoder(smallFrames, {
      async write() {
        writes += 1
      },
    })
    await encoder.write(samplePlain(4096 * 3))
    encoder.destroy()
    const before = writes
    await expect(encoder.end()).rejects.toThrow('destroyed')
    expect(writes - before).toBeLessThanOrEqual(1)
  })
})
