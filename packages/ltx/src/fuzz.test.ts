import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { LtxError, mergeLtx, openLtx, verifyLtx } from './index.ts'
import { hashes, inChunks, pagesIn, sourceOf } from './testing/files.ts'
import { fileOf, history, type Step } from './testing/history.ts'
import { type PlainFile, plainLtx, uvarint } from './testing/plain-ltx.ts'

// Whatever is done to a file: reading it either gives exactly the pages it had, or throws an LtxError. Nothing else is thrown,
// nothing hangs (there is a limit on the time of a test), and no more is allocated than a small multiple of the file.

/** Reads bytes in every way; says which way refused them, and fails on any other error. */
async function refusals(bytes: Uint8Array): Promise<{ whole: boolean; merged: boolean; opened: boolean }> {
  const refuses = (reading: Promise<unknown>) =>
    reading.then(
      () => false,
      (error: unknown) => {
        if (!(error instanceof LtxError) || error.message === '') throw error
        return true
      },
    )
  const open = async () => {
    const file = await openLtx(sourceOf(bytes))
    for await (const { pgno } of file.entries()) await file.page(pgno)
  }
  const merge = async () => {
    for await (const _ of await mergeLtx([bytes]));
  }
  const verified = await refuses(verifyLtx(bytes))
  const decoded = await refuses(pagesIn(inChunks(bytes, 100)))
  expect(decoded).toBe(verified)
  return { whole: verified, merged: await refuses(merge()), opened: await refuses(open()) }
}

const refusedByAll = { whole: true, merged: true, opened: true }

/** A changed file must be refused, unless it still holds the same pages: then only compressed bytes differ, which no checksum covers. */
async function expectRefusedOrSame(changed: Uint8Array, original: Uint8Array): Promise<void> {
  const { whole, merged } = await refusals(changed)
  expect(merged).toBe(whole)
  if (!whole) expect(hashes(await pagesIn(changed))).toEqual(hashes(await pagesIn(original)))
}

const anyFile = history.filter((steps) => steps[0]?.info.pageSize !== 65536)

function lastFile(steps: readonly Step[]): Promise<Uint8Array> {
  const step = steps.at(-1)
  if (!step) throw new RangeError('A history without steps.')
  return fileOf(step)
}

test('any changed bit is noticed by whoever reads the whole file', async () => {
  await fc.assert(
    fc.asyncProperty(anyFile, fc.nat(), async (steps, place) => {
      const original = await lastFile(steps)
      const bytes = original.slice()
      const bit = place % (bytes.length * 8)
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      await expectRefusedOrSame(bytes, original)
    }),
    { numRuns: 400 },
  )
})

test('any file that is cut off is noticed by every reader', async () => {
  await fc.assert(
    fc.asyncProperty(anyFile, fc.nat(), async (steps, place) => {
      const bytes = await lastFile(steps)
      const cut = bytes.subarray(0, place % bytes.length)
      expect(await refusals(cut)).toEqual(refusedByAll)
    }),
    { numRuns: 200 },
  )
})

test('a file with bytes replaced, removed or put in is read right or refused', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyFile,
      fc.nat(),
      fc.nat(300),
      fc.uint8Array({ maxLength: 40 }),
      async (steps, place, gone, put) => {
        const bytes = await lastFile(steps)
        const at = place % bytes.length
        const changed = new Uint8Array(Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + gone)]))
        await expectRefusedOrSame(changed, bytes)
      },
    ),
    { numRuns: 300 },
  )
})

test('noise is refused, also behind a sound header', async () => {
  const header = plainLtx({
    pageSize: 512,
    commit: 9,
    minTxid: 2n,
    maxTxid: 2n,
    wal: [32n, 0n, 1, 1],
    pages: [],
  }).subarray(0, 100)
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 600 }), fc.boolean(), async (noise, behindHeader) => {
      const bytes = behindHeader ? new Uint8Array(Buffer.concat([header, noise])) : noise
      expect(await refusals(bytes)).toEqual(refusedByAll)
    }),
    { numRuns: 300 },
  )
})

test('lengths that ask for gigabytes are refused before anything is allocated', async () => {
  const data = Buffer.alloc(512)
  const base: PlainFile = { pageSize: 512, commit: 1, minTxid: 1n, maxTxid: 1n, pages: [{ pgno: 1, data }] }
  const frame = (...bytes: number[]) => ({
    pgno: 1,
    data,
    flags: 0,
    payload: Buffer.from([0x04, 0x22, 0x4d, 0x18, ...bytes]),
  })
  const block = plainLtx(base)
  block.writeUInt32BE(0xfffffff0, 106)
  const endlessIndex = plainLtx({ ...base, indexSize: 0x7fffffffffffffffn })
  const wrappedIndex = plainLtx({ ...base, indexSize: 0xffffffffffffffffn })
  const hostile = [
    block,
    // LZ4 frames: a block of 2 GB, stored and compressed; a content size of 16 EB; blocks without end.
    plainLtx({ ...base, pages: [frame(0x64, 0x40, 0xa7, 0xff, 0xff, 0xff, 0xff)] }),
    plainLtx({ ...base, pages: [frame(0x64, 0x40, 0xa7, 0xff, 0xff, 0xff, 0x7f)] }),
    plainLtx({ ...base, pages: [frame(0x6c, 0x40, 255, 255, 255, 255, 255, 255, 255, 255, 0, 1, 0, 0, 0, 0)] }),
    plainLtx({
      ...base,
      pages: [frame(0x64, 0x40, 0xa7, ...Array.from({ length: 3000 }, () => [1, 0, 0, 0, 0]).flat())],
    }),
    // A length inside an LZ4 block that goes on and on.
    plainLtx({
      ...base,
      pages: [{ pgno: 1, data, payload: Buffer.concat([Buffer.from([0xff]), Buffer.alloc(520, 255)]) }],
    }),
    // A database of 2 TB, of which a byte is there.
    plainLtx({ ...base, commit: 0xffffffff }),
    endlessIndex,
    wrappedIndex,
    // An index that says pages are elsewhere, far away, or huge.
    plainLtx({
      ...base,
      index: () => Buffer.concat([uvarint(1), uvarint(2 ** 50), uvarint(2 ** 50), Buffer.alloc(1)]),
    }),
    plainLtx({ ...base, index: () => Buffer.concat([uvarint(1), uvarint(100), uvarint(2 ** 31), Buffer.alloc(1)]) }),
    plainLtx({ ...base, index: () => Buffer.concat([uvarint(1), Buffer.alloc(30, 255), Buffer.alloc(1)]) }),
  ]
  let largest = 0
  const counting = new Proxy(Uint8Array, {
    construct(target, args) {
      if (typeof args[0] === 'number') largest = Math.max(largest, args[0])
      return Reflect.construct(target, args)
    },
  })
  vi.stubGlobal('Uint8Array', counting)
  try {
    for (const bytes of hostile) expect(await refusals(bytes)).toEqual(refusedByAll)
  } finally {
    vi.unstubAllGlobals()
  }
  expect(largest).toBeGreaterThan(0)
  expect(largest).toBeLessThanOrEqual(131_072)
})

test('an input that answers with the wrong bytes, or with something else, is told so', async () => {
  const bytes = plainLtx({
    pageSize: 512,
    commit: 1,
    minTxid: 1n,
    maxTxid: 1n,
    pages: [{ pgno: 1, data: Buffer.alloc(512) }],
  })
  const code = 'LTX_SOURCE_INVALID'
  const short = { sizeBytes: bytes.length, read: (start: number, end: number) => bytes.subarray(start, end - 1) }
  await expect(openLtx(short)).rejects.toMatchObject({ code })
  await expect(verifyLtx(short)).rejects.toMatchObject({ code })
  await expect(openLtx({ sizeBytes: Number.NaN, read: short.read })).rejects.toMatchObject({ code })
  await expect(verifyLtx(['LTX1'] as unknown as Uint8Array[])).rejects.toMatchObject({ code })
  await expect(verifyLtx({} as unknown as Uint8Array)).rejects.toMatchObject({ code })
})
