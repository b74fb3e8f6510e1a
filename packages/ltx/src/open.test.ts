import { expect, test } from 'vitest'
import { encodeLtx, openLtx, verifyLtx } from './index.ts'
import { bytesOf, sourceOf } from './testing/files.ts'
import { contentOf } from './testing/history.ts'

const wal = { offset: 32, size: 0, salt1: 1, salt2: 2 }

async function snapshotOf(pageCount: number, encoding: 'frame' | 'block') {
  const info = { pageSize: 512, commit: pageCount, minTxid: 1n, maxTxid: 1n, timestampMs: 0, wal }
  function* pages() {
    for (let pgno = 1; pgno <= pageCount; pgno++) yield { pgno, data: contentOf(pgno * 4 + 1, 512) }
  }
  return sourceOf(await bytesOf(encodeLtx(info, pages(), { encoding })))
}

test('a small file is opened by two reads, and each page is at most one more', async () => {
  const source = await snapshotOf(3000, 'frame')
  const file = await openLtx(source)
  expect(source.reads).toEqual([
    [0, 100],
    [source.sizeBytes - 32768, source.sizeBytes],
  ])
  expect(await file.page(1)).toEqual(contentOf(5, 512))
  expect(source.reads).toHaveLength(3)
  expect(await file.page(2999)).toEqual(contentOf(2999 * 4 + 1, 512))
  expect(source.reads.length).toBeLessThanOrEqual(4)
})

test.each(['frame', 'block'] as const)(
  'pages of a large file are found without keeping its index, %s',
  async (encoding) => {
    const count = 200_000
    const source = await snapshotOf(count, encoding)
    const file = await openLtx(source)
    // From the end, so that the whole index is gone through once.
    for (const pgno of [count, 1, 256, 257, 511, 512, 513, 77_777, count - 1, 2]) {
      expect(await file.page(pgno)).toEqual(contentOf(pgno * 4 + 1, 512))
    }
    for (const pgno of [0, -1, count + 1, 1.5, Number.NaN]) expect(await file.page(pgno)).toBeUndefined()
    // After that, a page takes one piece of 256 entries and itself.
    source.reads.length = 0
    expect(await file.page(150_000)).toEqual(contentOf(600_001, 512))
    expect(source.reads).toHaveLength(2)
    expect(source.reads.reduce((sum, [start, end]) => sum + end - start, 0)).toBeLessThan(5000)
    let seen = 0
    let next = 100
    for await (const { pgno, offset, size } of file.entries()) {
      if (pgno !== ++seen || offset !== next) throw new Error(`entry ${seen} is ${pgno} at ${offset}`)
      next = offset + size
    }
    expect(seen).toBe(count)
  },
)

test('a read that fails once does not spoil the file', async () => {
  const source = await snapshotOf(5000, 'frame')
  let failures = 0
  const shaky = {
    sizeBytes: source.sizeBytes,
    async read(start: number, end: number) {
      if (start > 100 && end < source.sizeBytes && failures++ === 0) throw new Error('reset by peer')
      return source.read(start, end)
    },
  }
  const file = await openLtx(shaky)
  await expect(file.page(4000)).rejects.toThrow('reset by peer')
  expect(await file.page(4000)).toEqual(contentOf(16_001, 512))
})

test('a small file given by ranges is decoded with a single read', async () => {
  const source = await snapshotOf(20, 'frame')
  expect((await verifyLtx(source)).pageCount).toBe(20)
  expect(source.reads).toEqual([[0, source.sizeBytes]])
})
