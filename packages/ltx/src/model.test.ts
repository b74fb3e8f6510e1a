import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createJsKernel,
  databaseOf,
  decodeLtx,
  encodeLtx,
  type LtxInput,
  mergeLtx,
  mergeLtxPages,
  openLtx,
  verifyLtx,
} from './index.ts'
import { bytesOf, hashes, inChunks, mapOf, pagesIn, sourceOf } from './testing/files.ts'
import { contentOf, fileOf, history, imageOf, type Step } from './testing/history.ts'

const runs = { numRuns: 60 }
const filesOf = (steps: readonly Step[]) => Promise.all(steps.map((step) => fileOf(step)))
const last = (steps: readonly Step[]) => steps.at(-1) as Step

function expectSame(actual: Uint8Array, wanted: Uint8Array): void {
  expect(actual.length).toBe(wanted.length)
  expect(Buffer.compare(actual, wanted)).toBe(0)
}

/** The same bytes, given in every way a file may be given. */
function given(bytes: Uint8Array, way: number): LtxInput {
  const ways = [bytes, [bytes], inChunks(bytes, 1000), sourceOf(bytes), inChunks(bytes, 61)]
  return ways[way % ways.length] as LtxInput
}

describe('against a map of pages', () => {
  test('a file holds the pages and the header it was made from', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), async (steps, way) => {
        for (const step of steps) {
          const file = await decodeLtx(
            given(await fileOf(step), way),
            step.prevCommit > 0 ? { prevCommit: step.prevCommit } : {},
          )
          expect(file.header).toEqual({ ...step.info, noChecksum: true, preApplyChecksum: 0n, nodeId: 0n })
          expect(hashes(await mapOf(file))).toEqual(hashes(step.written.map(({ pgno, data }) => [pgno, data])))
          expect(file.summary?.pageCount).toBe(step.written.length)
        }
      }),
      runs,
    )
  })

  test('all files merged are the database after the last one, byte by byte', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), async (steps, way) => {
        const files = (await filesOf(steps)).map((bytes, index) => given(bytes, way + index))
        const image = await bytesOf(databaseOf(await mergeLtxPages(files)))
        expectSame(image, imageOf(last(steps).after, last(steps).info.pageSize))
      }),
      runs,
    )
  })

  test('a merge in any two steps, in any encoding, is the merge in one', async () => {
    await fc.assert(
      fc.asyncProperty(
        history,
        fc.nat(),
        fc.constantFrom('frame' as const, 'block' as const),
        async (steps, at, encoding) => {
          const files = await filesOf(steps)
          const cut = 1 + (at % files.length)
          const first = await bytesOf(await mergeLtx(files.slice(0, cut), { encoding }))
          const rest = files.slice(cut)
          const parts =
            rest.length === 0
              ? [first]
              : [first, await bytesOf(await mergeLtx(rest, { prevCommit: steps[cut - 1]?.after.commit ?? 0 }))]
          const merge = await mergeLtx(parts, { encoding })
          const merged = await bytesOf(merge)
          const { info, after } = last(steps)
          expect(await verifyLtx(merged)).toMatchObject({
            header: { ...info, minTxid: 1n, wal: null },
            pageCount: after.commit,
            fileChecksum: merge.summary?.fileChecksum,
          })
          expect(hashes(await pagesIn(merged))).toEqual(hashes(after.pages))
        },
      ),
      runs,
    )
  })

  test('files that overlap merge to the same', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(), fc.nat(), async (steps, a, b) => {
        const files = await filesOf(steps)
        const from = a % files.length
        const to = from + (b % (files.length - from))
        const head = await bytesOf(await mergeLtx(files.slice(0, to + 1)))
        // The second begins inside the first: TXIDs from..end after 1..to.
        const inputs = to === files.length - 1 ? [head] : [head, await bytesOf(await mergeLtx(files.slice(from)))]
        const image = await bytesOf(databaseOf(await mergeLtxPages(inputs)))
        expectSame(image, imageOf(last(steps).after, last(steps).info.pageSize))
      }),
      runs,
    )
  })

  test('any page is found by ranges, in any order, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.array(fc.integer({ min: 0, max: 45 }), { minLength: 1 }), async (steps, pgnos) => {
        const step = last(steps)
        const written = new Map(step.written.map(({ pgno, data }) => [pgno, data]))
        const file = await openLtx(sourceOf(await fileOf(step)))
        const found = await Promise.all(pgnos.map((pgno) => file.page(pgno)))
        const none = new Uint8Array(0)
        for (const [k, pgno] of pgnos.entries()) expectSame(found[k] ?? none, written.get(pgno) ?? none)
      }),
      runs,
    )
  })

  test('the kernel in JavaScript writes the same files, byte by byte, and reads them', async () => {
    const kernel = createJsKernel()
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const files = await filesOf(steps)
        for (const [k, step] of steps.entries())
          expectSame(await fileOf(step, { kernel }), files[k] ?? new Uint8Array(0))
        const merged = await bytesOf(await mergeLtx(files, { kernel, encoding: 'block' }))
        expectSame(merged, await bytesOf(await mergeLtx(files, { encoding: 'block' })))
        expect((await verifyLtx(merged, { kernel })).pageCount).toBe(last(steps).after.commit)
      }),
      { numRuns: 25 },
    )
  })
})

test('memory that is used again holds the same bytes, chunk by chunk and page by page', async () => {
  const memories = new Set<ArrayBufferLike>()
  async function copied(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
    const copies: Uint8Array[] = []
    for await (const chunk of chunks) {
      memories.add(chunk.buffer)
      copies.push(chunk.slice())
    }
    return bytesOf(copies)
  }
  const pageSize = 4096
  const info = { pageSize, commit: 300, minTxid: 1n, maxTxid: 2n, timestampMs: 0 }
  const written = Array.from({ length: info.commit }, (_, k) => ({ pgno: k + 1, data: contentOf(k, pageSize) }))
  for (const encoding of ['frame', 'block'] as const) {
    memories.clear()
    const file = await copied(encodeLtx(info, written, { encoding, reuse: true }))
    expectSame(file, await bytesOf(encodeLtx(info, written, { encoding })))
    expectSame(await copied(await mergeLtx([file], { encoding, reuse: true })), file)
    expect(memories.size).toBe(4)
    memories.clear()
    const pages = new Map<number, Uint8Array>()
    for await (const { pgno, data } of await decodeLtx(file, { reuse: true })) {
      memories.add(data.buffer)
      pages.set(pgno, data.slice())
    }
    expect(hashes(pages)).toEqual(hashes(written.map(({ pgno, data }) => [pgno, data])))
    expect(memories.size).toBe(1)
    expectSame(
      await copied(databaseOf(await mergeLtxPages([file], { reuse: true }))),
      await bytesOf(written.map(({ data }) => data)),
    )
  }
})

test('files decoded at the same time do not disturb each other, however their chunks come', async () => {
  const steps = fc.sample(history, { numRuns: 12, seed: 7 }).map(last)
  async function* slowly(bytes: Uint8Array) {
    for await (const chunk of inChunks(bytes, 200)) {
      await new Promise((resolve) => setImmediate(resolve))
      yield chunk
    }
  }
  const decoded = await Promise.all(steps.map(async (step) => pagesIn(slowly(await fileOf(step)))))
  expect(decoded).toEqual(steps.map((step) => new Map(step.written.map(({ pgno, data }) => [pgno, data]))))
})
