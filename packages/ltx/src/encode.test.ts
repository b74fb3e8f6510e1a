import { describe, expect, test } from 'vitest'
import {
  createLtxEncoder,
  type EncodeOptions,
  encodeLtx,
  type LtxFileInfo,
  type LtxPage,
  lockPgno,
  pageChecksum,
  verifyLtx,
} from './index.ts'
import { bytesOf, pagesIn } from './testing/files.ts'

const wal = { offset: 32, size: 0, salt1: 1, salt2: 2 }
const base: LtxFileInfo = { pageSize: 512, commit: 3, minTxid: 1n, maxTxid: 1n, timestampMs: 1_700_000_000_000, wal }
const second: LtxFileInfo = { ...base, minTxid: 2n, maxTxid: 2n }
const page = (pgno: number, size = 512): LtxPage => ({ pgno, data: new Uint8Array(size).fill(pgno) })
const pages = (...pgnos: number[]) => pgnos.map((pgno) => page(pgno))

async function errorOf(info: LtxFileInfo, content: LtxPage[], options?: EncodeOptions): Promise<unknown> {
  try {
    await bytesOf(encodeLtx(info, content, options))
  } catch (error) {
    return error
  }
  throw new Error('It was encoded.')
}

describe('the rules are held by the encoder', () => {
  test('growth without a new page is refused, and the error says which page and where', async () => {
    const error = await errorOf({ ...second, commit: 6 }, pages(1, 4, 6), { prevCommit: 3 })
    expect(error).toMatchObject({ code: 'LTX_GROWTH_HOLE', rule: expect.stringMatching(/every new page/) })
    expect(error).toHaveProperty('message', 'The database grew from 3 to 6 pages; page 5 is missing.')
    expect(await errorOf({ ...second, commit: 6 }, pages(4, 5), { prevCommit: 3 })).toMatchObject({
      code: 'LTX_GROWTH_HOLE',
    })
    expect(await errorOf({ ...second, commit: 6 }, [], { prevCommit: 5 })).toMatchObject({ code: 'LTX_GROWTH_HOLE' })
  })

  test('growth is measured against the size right before, so that regrowth after a shrink needs its pages', async () => {
    // 10 pages, then 3, then 10 again: what stood in 4 to 10 is gone and must be there anew.
    expect(await errorOf({ ...second, commit: 10 }, pages(1), { prevCommit: 3 })).toMatchObject({
      code: 'LTX_GROWTH_HOLE',
    })
    const whole = await bytesOf(encodeLtx({ ...second, commit: 10 }, pages(1, 4, 5, 6, 7, 8, 9, 10), { prevCommit: 3 }))
    expect((await verifyLtx(whole, { prevCommit: 3 })).pageCount).toBe(8)
    await expect(verifyLtx(whole, { prevCommit: 2 })).rejects.toMatchObject({ code: 'LTX_GROWTH_HOLE' })
  })

  test('without the size before, a change is not encoded', async () => {
    expect(await errorOf(second, pages(1))).toMatchObject({
      code: 'LTX_OPTION_INVALID',
      hint: expect.stringMatching(/prevCommit/),
    })
  })

  test('a snapshot is complete', async () => {
    expect(await errorOf(base, pages(1, 2))).toMatchObject({ code: 'LTX_SNAPSHOT_INCOMPLETE' })
    expect(await errorOf(base, pages(1, 3))).toMatchObject({ code: 'LTX_SNAPSHOT_INCOMPLETE' })
    expect(await errorOf(base, [])).toMatchObject({ code: 'LTX_SNAPSHOT_INCOMPLETE' })
  })

  test('pages rise, and none is beyond the commit', async () => {
    expect(await errorOf(base, pages(1, 2, 2))).toMatchObject({ code: 'LTX_PAGE_ORDER' })
    expect(await errorOf(second, pages(3, 1), { prevCommit: 3 })).toMatchObject({ code: 'LTX_PAGE_ORDER' })
    expect(await errorOf(base, pages(1, 2, 3, 4))).toMatchObject({ code: 'LTX_PAGE_BEYOND_COMMIT' })
    expect(await errorOf(second, pages(0), { prevCommit: 3 })).toMatchObject({ code: 'LTX_PAGE_ORDER' })
    expect(await errorOf(second, pages(1.5), { prevCommit: 3 })).toMatchObject({ code: 'LTX_PAGE_INVALID' })
  })

  test('a page has exactly the page size', async () => {
    expect(await errorOf(base, [page(1, 511)])).toMatchObject({ code: 'LTX_PAGE_INVALID' })
    expect(await errorOf(base, [page(1, 513)])).toMatchObject({ code: 'LTX_PAGE_INVALID' })
  })

  test('commit is never 0, and never more than 32 bits hold', async () => {
    for (const commit of [0, -1, 1.5, 2 ** 32, Number.NaN]) {
      expect(await errorOf({ ...base, commit }, [])).toMatchObject({ code: 'LTX_HEADER_INVALID', offset: 12 })
    }
  })

  test.each([
    ['no WAL fields', null],
    ['an offset inside the WAL header', { ...wal, offset: 31 }],
    ['an end in the middle of a frame', { ...wal, size: 100 }],
    ['a negative size', { ...wal, size: -536 }],
    ['a salt of 33 bits', { ...wal, salt1: 2 ** 32 }],
  ])('level 0 needs believable WAL fields: not %s', async (_, unlikely) => {
    expect(await errorOf({ ...base, wal: unlikely }, pages(1, 2, 3))).toMatchObject({ code: 'LTX_HEADER_INVALID' })
  })

  test('WAL fields on a frame boundary are fine, and a snapshot for level 9 needs none', async () => {
    const whole = { ...base, wal: { ...wal, offset: 32 + 536, size: 2 * 536 } }
    expect((await verifyLtx(await bytesOf(encodeLtx(whole, pages(1, 2, 3))))).header.wal).toEqual(whole.wal)
    const snapshot = encodeLtx({ ...base, maxTxid: 9n, wal: null }, pages(1, 2, 3))
    expect((await verifyLtx(await bytesOf(snapshot))).header).toMatchObject({ maxTxid: 9n, wal: null })
  })

  test('a file of several TXIDs is not for level 0, and only a snapshot is for level 9', async () => {
    const wide = { ...base, minTxid: 2n, maxTxid: 3n }
    const before = { prevCommit: 3 }
    expect(await errorOf(wide, pages(1), before)).toMatchObject({ code: 'LTX_OPTION_INVALID' })
    expect(await errorOf(wide, pages(1), { ...before, level: 0 })).toMatchObject({
      code: 'LTX_HEADER_INVALID',
      offset: 24,
    })
    expect(await errorOf(wide, pages(1), { ...before, level: 9 })).toMatchObject({
      code: 'LTX_HEADER_INVALID',
      offset: 16,
    })
    expect(await errorOf(wide, pages(1), { ...before, level: 10 })).toMatchObject({ code: 'LTX_OPTION_INVALID' })
    expect((await verifyLtx(await bytesOf(encodeLtx(wide, pages(1), { ...before, level: 1 })))).pageCount).toBe(1)
  })

  test('no checksums are written: Litestream cannot restore a chain that ends with them', async () => {
    const { header, postApplyChecksum } = await verifyLtx(await bytesOf(encodeLtx(base, pages(1, 2, 3))))
    expect(header).toMatchObject({ noChecksum: true, preApplyChecksum: 0n, nodeId: 0n })
    expect(postApplyChecksum).toBe(0n)
  })

  test.each([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])(
    'the lock page is not stored, page size %i',
    async (pageSize) => {
      const lock = lockPgno(pageSize)
      const info = { ...second, pageSize, commit: lock + 1 }
      const before = { prevCommit: lock - 2 }
      const around = [lock - 1, lock + 1].map((pgno) => ({ pgno, data: new Uint8Array(pageSize) }))
      const file = await bytesOf(encodeLtx(info, around, before))
      expect([...(await pagesIn(file)).keys()]).toEqual([lock - 1, lock + 1])
      const withLock = [...around, { pgno: lock, data: new Uint8Array(pageSize) }].sort((a, b) => a.pgno - b.pgno)
      expect(await errorOf(info, withLock, before)).toMatchObject({ code: 'LTX_LOCK_PAGE' })
      // A database that ends with the lock page, and one whose growth is the lock page alone.
      const last = { ...info, commit: lock }
      expect([...(await pagesIn(await bytesOf(encodeLtx(last, around.slice(0, 1), before)))).keys()]).toEqual([
        lock - 1,
      ])
      expect(await pagesIn(await bytesOf(encodeLtx(last, [], { prevCommit: lock - 1 })))).toEqual(new Map())
    },
  )

  test('headers that cannot be are refused', async () => {
    const wrong: [Partial<LtxFileInfo>, number][] = [
      [{ pageSize: 500 }, 8],
      [{ pageSize: 131072 }, 8],
      [{ minTxid: 0n }, 16],
      [{ minTxid: 5n }, 24],
      [{ maxTxid: 1n << 64n }, 24],
      [{ timestampMs: 1.5 }, 32],
      [{ timestampMs: Number.NaN }, 32],
    ]
    for (const [change, offset] of wrong) {
      expect(await errorOf({ ...base, ...change }, [], { prevCommit: 3 })).toMatchObject({
        code: 'LTX_HEADER_INVALID',
        offset,
      })
    }
  })
})

test('an option nobody knows is refused', async () => {
  const misspelt = { prevComit: 3 } as EncodeOptions
  expect(await errorOf(second, [], misspelt)).toMatchObject({
    code: 'LTX_OPTION_INVALID',
    hint: expect.stringMatching(/prevCommit/),
  })
  const lz77 = { encoding: 'lz77' } as unknown as EncodeOptions
  expect(await errorOf(base, [], lz77)).toMatchObject({ code: 'LTX_OPTION_INVALID' })
})

test('pages pushed one by one make the same file as pages pulled, sync or async', async () => {
  const content = pages(1, 2, 3)
  const pulled = await bytesOf(encodeLtx(base, content))
  const encoder = createLtxEncoder(base)
  const pushed: Uint8Array[] = []
  const buffer = new Uint8Array(512)
  for (const { pgno, data } of content) {
    buffer.set(data)
    const chunk = encoder.add(pgno, buffer)
    if (chunk) pushed.push(chunk)
  }
  pushed.push(...encoder.finish())
  expect(await bytesOf(pushed)).toEqual(pulled)
  expect(() => encoder.add(1, buffer)).toThrow(expect.objectContaining({ code: 'LTX_ALREADY_READ' }))
  expect(() => encoder.finish()).toThrow(expect.objectContaining({ code: 'LTX_ALREADY_READ' }))

  async function* later() {
    for (const one of content) yield await Promise.resolve(one)
  }
  const file = encodeLtx(base, later())
  expect(file.summary).toBeUndefined()
  expect(await bytesOf(file)).toEqual(pulled)
  expect(file.summary).toMatchObject({ pageCount: 3, sizeBytes: pulled.length })
  expect(file.summary?.fileChecksum).toBe((await verifyLtx(pulled)).fileChecksum)
  expect(() => file[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code: 'LTX_ALREADY_READ' }))
})

test('the pages are let go of when the reader of the file stops early', async () => {
  let isClosed = false
  async function* endless() {
    try {
      for (let pgno = 1; ; pgno++) yield page(pgno)
    } finally {
      isClosed = true
    }
  }
  for await (const _ of encodeLtx({ ...base, commit: 1e6 }, endless())) break
  expect(isClosed).toBe(true)
})

test('the checksums of pages and of a database are those of the specification', () => {
  const zeros = new Uint8Array(512)
  expect(pageChecksum({ pgno: 1, data: zeros })).toBe(0xefb1f44fecd99000n)
  expect(pageChecksum({ pgno: 2, data: zeros })).toBe(0xef63e89fecd99000n)
  const top = 1n << 63n
  const x = new Uint8Array(4096).fill(0x78)
  let sum = top
  for (let pgno = 1; pgno <= 262155; pgno++)
    if (pgno !== lockPgno(4096)) sum = top | (sum ^ pageChecksum({ pgno, data: x }))
  expect(sum).toBe(0xc19b668c376662c7n)
})
