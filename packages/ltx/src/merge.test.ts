import { describe, expect, test } from 'vitest'
import { encodeLtx, type LtxFileInfo, mergeLtx, mergeLtxPages, openLtx, verifyLtx } from './index.ts'
import { bytesOf, inChunks, mapOf, pagesIn, sourceOf } from './testing/files.ts'
import { plainLtx } from './testing/plain-ltx.ts'

const wal = { offset: 32, size: 0, salt1: 1, salt2: 2 }

/** The file of one transaction: pages are filled with its TXID. */
function file(
  txid: number,
  commit: number,
  pgnos: readonly number[],
  prevCommit: number,
  change: Partial<LtxFileInfo> = {},
) {
  const info = {
    pageSize: 512,
    commit,
    minTxid: BigInt(txid),
    maxTxid: BigInt(txid),
    timestampMs: txid * 1000,
    wal,
    ...change,
  }
  const data = new Uint8Array(info.pageSize).fill(txid)
  return bytesOf(
    encodeLtx(
      info,
      pgnos.map((pgno) => ({ pgno, data })),
      { prevCommit },
    ),
  )
}

const txidsIn = async (bytes: Uint8Array) => [...(await pagesIn(bytes))].map(([pgno, data]) => [pgno, data[0]])

test('the newest page wins, what is beyond the last commit is dropped, and the header is of both ends', async () => {
  const files = [await file(1, 5, [1, 2, 3, 4, 5], 0), await file(2, 6, [2, 5, 6], 5), await file(3, 4, [1], 6)]
  const merge = await mergeLtx(files)
  const merged = await bytesOf(merge)
  expect(await txidsIn(merged)).toEqual([
    [1, 3],
    [2, 2],
    [3, 1],
    [4, 1],
  ])
  expect(merge.header).toEqual({
    pageSize: 512,
    commit: 4,
    minTxid: 1n,
    maxTxid: 3n,
    timestampMs: 3000,
    noChecksum: true,
    preApplyChecksum: 0n,
    wal: null,
    nodeId: 0n,
  })
  expect(merge.summary).toEqual({
    pageCount: 4,
    sizeBytes: merged.length,
    fileChecksum: (await verifyLtx(merged)).fileChecksum,
    postApplyChecksum: 0n,
  })
})

test('a file alone becomes one of a higher level: the same pages, no WAL fields', async () => {
  const one = await file(7, 9, [2, 9], 9)
  const merged = await bytesOf(await mergeLtx([one]))
  expect(await pagesIn(merged)).toEqual(await pagesIn(one))
  expect((await verifyLtx(merged)).header).toMatchObject({ minTxid: 7n, maxTxid: 7n, wal: null })
})

describe('refused', () => {
  test('nothing', async () => {
    await expect(mergeLtx([])).rejects.toMatchObject({ code: 'LTX_MERGE_EMPTY' })
  })

  test('a gap, files in the wrong order, a file that adds nothing', async () => {
    const [one, two, three] = [await file(1, 1, [1], 0), await file(2, 1, [1], 1), await file(3, 1, [1], 1)]
    await expect(mergeLtx([one, three])).rejects.toMatchObject({ code: 'LTX_MERGE_GAP', input: 1, offset: 16 })
    await expect(mergeLtx([two, one])).rejects.toMatchObject({ code: 'LTX_MERGE_GAP', input: 1 })
    await expect(mergeLtx([one, two, two])).rejects.toMatchObject({ code: 'LTX_MERGE_GAP', input: 2 })
  })

  test('different page sizes', async () => {
    const files = [await file(1, 1, [1], 0), await file(2, 1, [1], 1, { pageSize: 1024 })]
    await expect(mergeLtx(files)).rejects.toMatchObject({ code: 'LTX_MERGE_PAGE_SIZE', input: 1, offset: 8 })
  })

  test('a misspelt option, and one that cannot be', async () => {
    const options = { encodings: 'frame' } as object
    const code = 'LTX_OPTION_INVALID'
    await expect(mergeLtx([await file(1, 1, [1], 0)], options)).rejects.toMatchObject({ code })
    await expect(mergeLtx([], { encoding: 'lz77' as 'frame' })).rejects.toMatchObject({ code })
    await expect(mergeLtx([], { prevCommit: Number.NaN })).rejects.toMatchObject({ code })
  })

  test('a damaged input, also where its page would not be used, with its number', async () => {
    const bytes = await file(1, 3, [1, 2, 3], 0)
    bytes[150] = (bytes[150] ?? 0) ^ 1
    const newer = await file(2, 3, [1, 2, 3], 3)
    await expect(mergeLtx([bytes, newer]).then(bytesOf)).rejects.toMatchObject({ code: 'LTX_LZ4_INVALID', input: 0 })
    // Beyond the last commit, too.
    const smaller = await file(2, 1, [1], 3)
    const tail = await file(1, 3, [1, 2, 3], 0)
    tail[tail.length - 1] = (tail.at(-1) ?? 0) ^ 1
    await expect(mergeLtx([tail, smaller]).then(bytesOf)).rejects.toMatchObject({
      code: 'LTX_CHECKSUM_MISMATCH',
      input: 0,
    })
  })
})

describe('a shrink and a growth in files of others', () => {
  const data = Buffer.alloc(512, 'stale')
  const foreign = (txid: bigint, commit: number, pgnos: number[]) =>
    plainLtx({
      pageSize: 512,
      commit,
      minTxid: txid,
      maxTxid: txid,
      wal: [32n, 0n, 1, 1],
      pages: pgnos.map((pgno) => ({ pgno, data })),
    })

  test('pages from before the shrink do not come back: the file that lacks them is named', async () => {
    const files = [foreign(1n, 4, [1, 2, 3, 4]), foreign(2n, 2, [1]), foreign(3n, 4, [1, 4])]
    const error = { code: 'LTX_GROWTH_HOLE', input: 2, message: expect.stringMatching(/from 2 to 4 pages; page 3/) }
    await expect(mergeLtx(files).then(bytesOf)).rejects.toMatchObject(error)
    await expect(mergeLtxPages(files).then(mapOf)).rejects.toMatchObject(error)
    const whole = await bytesOf(await mergeLtx([files[0] ?? data, files[1] ?? data, foreign(3n, 4, [3, 4])]))
    expect([...(await pagesIn(whole)).keys()]).toEqual([1, 2, 3, 4])
  })

  test('it is seen in the first file, too, when the size before it is given', async () => {
    const files = [foreign(5n, 4, [1, 4]), foreign(6n, 4, [2])]
    expect((await verifyLtx(await bytesOf(await mergeLtx(files)))).pageCount).toBe(3)
    await expect(mergeLtx(files, { prevCommit: 2 }).then(bytesOf)).rejects.toMatchObject({
      code: 'LTX_GROWTH_HOLE',
      input: 0,
    })
  })
})

test('pages that are stored in the wanted encoding already are copied, others are encoded anew', async () => {
  const pageBytes = async (bytes: Uint8Array) => {
    const opened = await openLtx(sourceOf(bytes))
    const entry = (await opened.entries().next()).value
    return bytes.slice(entry?.offset, (entry?.offset ?? 0) + (entry?.size ?? 0))
  }
  // A literal run where compression would have done better: told apart from what we would write.
  const literal = plainLtx({
    pageSize: 512,
    commit: 1,
    minTxid: 1n,
    maxTxid: 1n,
    pages: [{ pgno: 1, data: Buffer.alloc(512) }],
  })
  const block = await bytesOf(await mergeLtx([literal], { encoding: 'block' }))
  expect(await pageBytes(block)).toEqual(await pageBytes(new Uint8Array(literal)))
  const frame = await bytesOf(await mergeLtx([literal], { encoding: 'frame' }))
  expect((await pageBytes(frame)).length).toBeLessThan(60)
  expect(await pagesIn(frame)).toEqual(await pagesIn(literal))
})

test('all inputs are let go of: at the end, on an error, and when the reader stops early', async () => {
  let open = 0
  async function* counted(bytes: Uint8Array) {
    open++
    try {
      yield* inChunks(bytes, 50)
    } finally {
      open--
    }
  }
  const bytes = [await file(1, 3, [1, 2, 3], 0), await file(2, 3, [2], 3)]
  const inputs = () => bytes.map(counted)
  await bytesOf(await mergeLtx(inputs()))
  expect(open).toBe(0)
  for await (const _ of await mergeLtxPages(inputs())) break
  expect(open).toBe(0)
  await (await mergeLtxPages(inputs())).close()
  await (await mergeLtx(inputs())).close()
  expect(open).toBe(0)
  await expect(mergeLtx([...inputs(), counted(new Uint8Array(5))])).rejects.toMatchObject({
    code: 'LTX_NOT_LTX',
    input: 2,
  })
  expect(open).toBe(0)
  await expect(mergeLtx(inputs().reverse())).rejects.toMatchObject({ code: 'LTX_MERGE_GAP' })
  expect(open).toBe(0)
})
