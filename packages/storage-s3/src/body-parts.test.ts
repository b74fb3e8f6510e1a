import { createHash } from 'node:crypto'
import { type Body, bytesBody } from '@sqlite-backup/core'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decidePartSize, partsOf, wholePart } from './body-parts.ts'

const mib = 1024 ** 2
const gib = 1024 ** 3
const none = { partSizeBytes: undefined, defaultPartSizeBytes: 8 * mib }
const pieces = (sizeBytes: number): Pick<Body, 'pieces'> => ({
  pieces: { sizeBytes, sha256: async () => new Uint8Array() },
})

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** A body that grows in steps of its own, with digests or without. */
function growing(
  bytes: Buffer,
  stepBytes: number,
  pieceSizeBytes: number | undefined,
): { body: Body; grow: () => Promise<void> } {
  let ready = 0
  let wake = Promise.withResolvers<void>()
  const size = Promise.withResolvers<number>()
  const isThere = async (bytesNeeded: number) => {
    while (ready < Math.min(bytesNeeded, bytes.length)) await wake.promise
  }
  const body: Body = {
    size: size.promise,
    maxSizeBytes: bytes.length + 100,
    async *stream({ start = 0, end = Number.POSITIVE_INFINITY } = {}) {
      for (let at = start; at < Math.min(end, bytes.length); ) {
        await isThere(at + 1)
        const until = Math.min(end, ready)
        yield bytes.subarray(at, until)
        at = until
      }
      // Whether there is more is only known once it is finished.
      if (end > bytes.length) await size.promise
    },
    ...(pieceSizeBytes !== undefined && {
      pieces: {
        sizeBytes: pieceSizeBytes,
        async sha256(index) {
          await isThere((index + 1) * pieceSizeBytes)
          return createHash('sha256')
            .update(bytes.subarray(index * pieceSizeBytes, (index + 1) * pieceSizeBytes))
            .digest()
        },
      },
    }),
  }
  const grow = async () => {
    while (ready < bytes.length) {
      await new Promise(setImmediate)
      ready = Math.min(bytes.length, ready + stepBytes)
      const before = wake
      wake = Promise.withResolvers<void>()
      before.resolve()
    }
    await new Promise(setImmediate)
    size.resolve(bytes.length)
  }
  return { body, grow }
}

describe('decidePartSize', () => {
  it('takes the pieces of the body, whose digests are there', () => {
    expect(decidePartSize(pieces(6 * mib), gib, none)).toBe(6 * mib)
  })

  it('does not take pieces that S3 would refuse, or that would be too many', () => {
    expect(decidePartSize(pieces(mib), gib, none)).toBe(8 * mib)
    expect(decidePartSize({ ...pieces(8 * mib), maxSizeBytes: 200 * gib }, undefined, none)).toBe(21 * mib)
  })

  it('lets the user decide, but never so that the parts do not suffice', () => {
    const wish = { ...none, partSizeBytes: 16 * mib }
    expect(decidePartSize(pieces(8 * mib), gib, wish)).toBe(16 * mib)
    expect(decidePartSize({}, 1000 * gib, wish)).toBe(103 * mib)
  })

  it('fits the largest the body may get into 10,000 parts', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 5 * 1024 * gib }),
        fc.option(fc.integer({ min: 1, max: gib }), { nil: undefined }),
        (size, piece) => {
          const partSize = decidePartSize({ maxSizeBytes: size, ...(piece && pieces(piece)) }, undefined, none)
          expect(partSize).toBeGreaterThanOrEqual(5 * mib)
          expect(Math.ceil(size / partSize)).toBeLessThanOrEqual(10_000)
        },
      ),
    )
  })
})

describe('partsOf', () => {
  it('cuts every body into equal parts and a rest, with the right digests, however it grows', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 100 }),
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 30 }),
        fc.boolean(),
        async (sizeBytes, partSizeBytes, stepBytes, hasDigests) => {
          const bytes = Buffer.from(Array.from({ length: sizeBytes }, (_, i) => (i * 7) % 251))
          const { body, grow } = growing(bytes, stepBytes, hasDigests ? partSizeBytes : undefined)
          const grown = grow()
          const seen: Buffer[] = []
          for await (const part of partsOf(body, partSizeBytes)) {
            const content = await collect(part.stream())
            expect(part).toMatchObject({
              index: seen.length,
              start: seen.length * partSizeBytes,
              sizeBytes: content.length,
            })
            expect(Buffer.from(part.sha256).toString('hex')).toBe(sha256(content))
            expect(await collect(part.stream())).toEqual(content)
            seen.push(content)
          }
          await grown
          expect(Buffer.concat(seen)).toEqual(bytes)
          expect(seen.length).toBe(Math.ceil(sizeBytes / partSizeBytes))
        },
      ),
      { numRuns: 200 },
    )
  })

  it('gives a part while the body still grows', async () => {
    const bytes = Buffer.alloc(25, 'x')
    for (const pieceSizeBytes of [10, undefined]) {
      const { body, grow } = growing(bytes, 11, pieceSizeBytes)
      const first = partsOf(body, 10).next()
      const grown = grow()
      expect((await first).value).toMatchObject({ index: 0, sizeBytes: 10 })
      await grown
    }
  })

  it('throws what the body throws', async () => {
    const broken: Body = {
      size: Promise.reject(new Error('gone')),
      // biome-ignore lint/correctness/useYield: it breaks before the first byte
      async *stream() {
        throw new Error('gone')
      },
      pieces: { sizeBytes: 10, sha256: () => Promise.reject(new Error('gone')) },
    }
    await expect(partsOf(broken, 10).next()).rejects.toThrow('gone')
    await expect(partsOf(broken, 20).next()).rejects.toThrow('gone')
  })
})

describe('wholePart', () => {
  for (const sizeBytes of [0, 1, 5 * mib, 5 * mib + 1]) {
    it(`hashes ${sizeBytes} bytes`, async () => {
      const bytes = Buffer.alloc(sizeBytes, 'ab')
      const part = await wholePart(bytesBody(bytes), sizeBytes)
      expect(Buffer.from(part.sha256).toString('hex')).toBe(sha256(bytes))
      expect(sha256(await collect(part.stream()))).toBe(sha256(bytes))
    })
  }

  it('refuses a body that is shorter than it says', async () => {
    for (const sizeBytes of [100, 6 * mib]) {
      await expect(
        wholePart({ ...bytesBody(Buffer.alloc(sizeBytes)), size: sizeBytes + 1 }, sizeBytes + 1),
      ).rejects.toMatchObject({
        code: 'BODY_TRUNCATED',
      })
    }
  })
})
