import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { decodeLtx, encodeLtx, LtxError, mergeLtx, openLtx, verifyLtx } from './index.ts'
import { bytesOf, fromHex, inChunks, mapOf, pagesIn, sourceOf, toHex } from './testing/files.ts'
import { type PlainFile, plainLtx, plainRolling, TOP_BIT, uvarint } from './testing/plain-ltx.ts'

const vectors = JSON.parse(readFileSync(new URL('../golden/vectors.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>
const vector = (name: string) => fromHex(vectors[name] ?? '')

const everyByteTwice = Uint8Array.from({ length: 512 }, (_, at) => at & 255)
async function drain(iterable: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of iterable);
}

const sha256 = (bytes: Uint8Array | undefined) =>
  createHash('sha256')
    .update(bytes ?? '')
    .digest('hex')

const expected: Record<
  string,
  { pages: Record<number, Uint8Array>; index: [number, number, number][]; checksum: bigint }
> = {
  V1_block_literal: { pages: { 1: everyByteTwice }, index: [[1, 100, 525]], checksum: 0xe131cbc51240c59bn },
  V2_frame: { pages: { 1: everyByteTwice }, index: [[1, 100, 292]], checksum: 0xd1876788a3da62ban },
  V3_zero_pages: { pages: {}, index: [], checksum: 0x86115bca90085344n },
  V4_checksummed_block: {
    pages: { 1: new Uint8Array(1024).fill(0x32), 2: new Uint8Array(1024).fill(0x33) },
    index: [
      [1, 100, 24],
      [2, 124, 24],
    ],
    checksum: 0xf2f5bf19c408f15an,
  },
  V5_block_zero_page: { pages: { 1: new Uint8Array(512) }, index: [[1, 100, 22]], checksum: 0x8716efe5beb684b6n },
}

describe('test vectors', () => {
  test.each(Object.keys(expected))('%s decodes to its pages, in one piece and byte by byte', async (name) => {
    const want = expected[name]
    const pages = new Map(Object.entries(want?.pages ?? {}).map(([pgno, data]) => [Number(pgno), data]))
    expect(await pagesIn(vector(name))).toEqual(pages)
    expect(await pagesIn(inChunks(vector(name), 1))).toEqual(pages)
    expect((await verifyLtx(vector(name))).fileChecksum).toBe(want?.checksum)
  })

  test.each(Object.keys(expected))('%s is read page by page through its index', async (name) => {
    const want = expected[name]
    const file = await openLtx(sourceOf(vector(name)))
    expect(file.fileChecksum).toBe(want?.checksum)
    const entries: [number, number, number][] = []
    for await (const { pgno, offset, size } of file.entries()) entries.push([pgno, offset, size])
    expect(entries).toEqual(want?.index)
    for (const [pgno] of entries) expect(await file.page(pgno)).toEqual(want?.pages[pgno])
    expect(await file.page(99)).toBeUndefined()
  })

  test('G1, which Litestream 0.5.17 wrote, holds the pages it wrote', async () => {
    const bytes = vector('G1_litestream_vfs_0_5_17')
    expect(sha256(bytes)).toBe('17b827f82e36b864c7f53c22610a8da449ae769ed5d7a7c751125fcdf87a5335')
    const file = await decodeLtx(bytes)
    const pages = await mapOf(file)
    expect(file.header).toMatchObject({
      pageSize: 4096,
      commit: 2,
      minTxid: 1n,
      maxTxid: 1n,
      noChecksum: true,
      wal: null,
    })
    expect(sha256(pages.get(1))).toBe('739011180a656b6a8d064b2e11a9e2043aa805244600a555dbc2b9c547765cc7')
    expect(sha256(pages.get(2))).toBe('ada6a6f576938d325c32b6a8ef23a531cba5b73342b62dc487c3fefa1a6072df')
    expect(file.summary).toEqual({
      pageCount: 2,
      sizeBytes: 366,
      fileChecksum: 0xbbcae12df8d3ad88n,
      postApplyChecksum: 0n,
    })
  })

  test('V5 and V3 are encoded byte by byte as the specification has them', async () => {
    const v5 = { pageSize: 512, commit: 1, minTxid: 1n, maxTxid: 1n, timestampMs: 1_700_000_000_000 }
    const pages = [{ pgno: 1, data: new Uint8Array(512) }]
    const encoded = await bytesOf(encodeLtx(v5, pages, { encoding: 'block', level: 9 }))
    expect(toHex(encoded)).toBe(toHex(vector('V5_block_zero_page')))

    const wal = { offset: 32, size: 0, salt1: 0x11111111, salt2: 0x22222222 }
    const v3 = { pageSize: 512, commit: 1, minTxid: 2n, maxTxid: 2n, timestampMs: 1_700_000_001_000, wal }
    expect(toHex(await bytesOf(encodeLtx(v3, [], { prevCommit: 1 })))).toBe(toHex(vector('V3_zero_pages')))
  })

  test('V1 and V2 come out with the same fields and pages from our compressor', async () => {
    const info = { pageSize: 512, commit: 1, minTxid: 1n, maxTxid: 1n, timestampMs: 1_700_000_000_000 }
    for (const [name, encoding] of [
      ['V1_block_literal', 'block'],
      ['V2_frame', 'frame'],
    ] as const) {
      const bytes = await bytesOf(encodeLtx(info, [{ pgno: 1, data: everyByteTwice }], { encoding, level: 9 }))
      expect(toHex(bytes.subarray(0, 106))).toBe(toHex(vector(name).subarray(0, 106)))
      expect(await pagesIn(bytes)).toEqual(await pagesIn(vector(name)))
    }
  })
})

describe('what a reader must refuse', () => {
  const data = Buffer.alloc(512, 'x')
  const sound: PlainFile = {
    pageSize: 512,
    commit: 2,
    minTxid: 1n,
    maxTxid: 1n,
    pages: [1, 2].map((pgno) => ({ pgno, data })),
  }
  const change: PlainFile = { ...sound, minTxid: 2n, maxTxid: 2n, wal: [32n, 0n, 1, 2] }
  const shifted = (index: Buffer) => Buffer.concat([index.subarray(0, 1), Buffer.from([101]), index.subarray(2)])

  test('the files these are made from are sound', async () => {
    expect((await verifyLtx(plainLtx(sound))).pageCount).toBe(2)
    expect((await verifyLtx(plainLtx(change))).pageCount).toBe(2)
  })

  test.each<[string, string, number, Uint8Array]>([
    ['a wrong file checksum', 'LTX_CHECKSUM_MISMATCH', 1182, plainLtx({ ...sound, fileChecksum: TOP_BIT })],
    ['one byte too many', 'LTX_TRAILING_BYTES', 1190, plainLtx({ ...sound, after: Buffer.alloc(1) })],
    ['header flag bit 0', 'LTX_HEADER_INVALID', 4, plainLtx({ ...sound, flags: 3 })],
    ['page flag bit 1', 'LTX_PAGE_INVALID', 100, plainLtx({ ...sound, pages: [{ pgno: 1, data, flags: 2 }] })],
    ['page 0 with a flag', 'LTX_PAGE_INVALID', 100, plainLtx({ ...sound, pages: [{ pgno: 0, data }] })],
    ['salts without a WAL offset', 'LTX_HEADER_INVALID', 48, plainLtx({ ...change, wal: [0n, 0n, 1, 2] })],
    ['a WAL size without a WAL offset', 'LTX_HEADER_INVALID', 48, plainLtx({ ...change, wal: [0n, 5n, 0, 0] })],
    ['a negative WAL offset', 'LTX_HEADER_INVALID', 48, plainLtx({ ...change, wal: [-1n, 0n, 0, 0] })],
    [
      'a snapshot without its last page',
      'LTX_SNAPSHOT_INCOMPLETE',
      625,
      plainLtx({ ...sound, pages: [{ pgno: 1, data }] }),
    ],
    [
      'a snapshot out of order',
      'LTX_SNAPSHOT_INCOMPLETE',
      100,
      plainLtx({ ...sound, pages: [2, 1].map((pgno) => ({ pgno, data })) }),
    ],
    [
      'a change out of order',
      'LTX_PAGE_ORDER',
      625,
      plainLtx({ ...change, pages: [2, 1].map((pgno) => ({ pgno, data })) }),
    ],
    [
      'the same page twice',
      'LTX_PAGE_ORDER',
      625,
      plainLtx({ ...change, pages: [2, 2].map((pgno) => ({ pgno, data })) }),
    ],
    ['a page beyond the commit', 'LTX_PAGE_BEYOND_COMMIT', 100, plainLtx({ ...change, pages: [{ pgno: 3, data }] })],
    [
      'the lock page',
      'LTX_LOCK_PAGE',
      100,
      plainLtx({ ...change, pageSize: 65536, commit: 20000, pages: [{ pgno: 16385, data: Buffer.alloc(65536) }] }),
    ],
    ['99 bytes', 'LTX_TRUNCATED', 99, plainLtx(sound).subarray(0, 99)],
    ['nothing', 'LTX_TRUNCATED', 0, new Uint8Array(0)],
    ['another magic', 'LTX_NOT_LTX', 0, plainLtx({ ...sound, magic: 'LTX2' })],
    ['reserved bytes', 'LTX_HEADER_INVALID', 80, plainLtx({ ...sound, reserved: 1 })],
    ['a page size of 1000', 'LTX_HEADER_INVALID', 8, plainLtx({ ...sound, pageSize: 1000 })],
    ['a page size of 0', 'LTX_HEADER_INVALID', 8, plainLtx({ ...sound, pageSize: 0 })],
    ['commit 0', 'LTX_HEADER_INVALID', 12, plainLtx({ ...sound, commit: 0, pages: [] })],
    ['TXID 0', 'LTX_HEADER_INVALID', 16, plainLtx({ ...sound, minTxid: 0n })],
    ['TXIDs the wrong way round', 'LTX_HEADER_INVALID', 24, plainLtx({ ...change, maxTxid: 1n })],
    ['a pre-apply checksum with NoChecksum', 'LTX_HEADER_INVALID', 40, plainLtx({ ...change, preApply: TOP_BIT })],
    [
      'a pre-apply checksum in a snapshot',
      'LTX_HEADER_INVALID',
      40,
      plainLtx({ ...sound, flags: 0, preApply: TOP_BIT }),
    ],
    ['no pre-apply checksum where there must be one', 'LTX_HEADER_INVALID', 40, plainLtx({ ...change, flags: 0 })],
    ['a post-apply checksum with NoChecksum', 'LTX_TRAILER_INVALID', 1174, plainLtx({ ...sound, postApply: TOP_BIT })],
    ['no post-apply checksum where there must be one', 'LTX_TRAILER_INVALID', 1174, plainLtx({ ...sound, flags: 0 })],
    [
      'a post-apply checksum of another database',
      'LTX_CHECKSUM_MISMATCH',
      1174,
      plainLtx({ ...sound, flags: 0, postApply: TOP_BIT }),
    ],
    ['an index with another offset', 'LTX_INDEX_INVALID', 1156, plainLtx({ ...sound, index: shifted })],
    [
      'an index without its second page',
      'LTX_INDEX_INVALID',
      1156,
      plainLtx({ ...sound, index: (bytes) => Buffer.concat([bytes.subarray(0, 4), Buffer.alloc(1)]) }),
    ],
    ['an index of a wrong size', 'LTX_INDEX_INVALID', 1166, plainLtx({ ...sound, indexSize: 5n })],
    [
      'a page that is too short',
      'LTX_LZ4_INVALID',
      100,
      plainLtx({ ...sound, pages: [{ pgno: 1, data, payload: Buffer.from([0x10, 7]) }] }),
    ],
    [
      'a block that cannot be so large',
      'LTX_PAGE_INVALID',
      106,
      plainLtx({ ...sound, pages: [{ pgno: 1, data, payload: Buffer.alloc(5000) }] }),
    ],
    [
      'something that is no LZ4 frame',
      'LTX_LZ4_INVALID',
      100,
      plainLtx({ ...sound, pages: [{ pgno: 1, data, flags: 0, payload: Buffer.alloc(60) }] }),
    ],
  ])('%s: %s at byte %i', async (_, code, offset, bytes) => {
    const error = await verifyLtx(bytes).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(LtxError)
    expect(error).toMatchObject({ code, offset, rule: expect.any(String) })
    // The same for a reader of pages, in small pieces.
    await expect(pagesIn(inChunks(bytes, 7))).rejects.toMatchObject({ code, offset })
  })

  test('a name that says other TXIDs', async () => {
    const name = '0000000000000002-0000000000000002.ltx'
    await expect(verifyLtx(plainLtx(sound), { name })).rejects.toMatchObject({ code: 'LTX_NAME_MISMATCH' })
    await expect(verifyLtx(plainLtx(sound), { name: 'whatever' })).rejects.toMatchObject({ code: 'LTX_NAME_MISMATCH' })
    expect((await verifyLtx(plainLtx(change), { name: `/replica/ltx/0/${name}` })).pageCount).toBe(2)
  })

  test('a gap between two files', async () => {
    const late = plainLtx({ ...change, minTxid: 3n, maxTxid: 3n })
    await expect(mergeLtx([plainLtx(sound), late])).rejects.toMatchObject({ code: 'LTX_MERGE_GAP', input: 1 })
  })

  test('an index that is wrong, when pages are read through it', async () => {
    const file = await openLtx(sourceOf(plainLtx({ ...sound, index: shifted })))
    await expect(file.page(1)).rejects.toMatchObject({ code: 'LTX_INDEX_INVALID', offset: 1156 })
    const cut = plainLtx({ ...sound, index: (bytes) => Buffer.concat([bytes.subarray(0, 4), Buffer.alloc(1)]) })
    await expect((await openLtx(sourceOf(cut))).page(2)).rejects.toMatchObject({ code: 'LTX_INDEX_INVALID' })
    const endless = plainLtx({ ...sound, index: (bytes) => Buffer.concat([bytes, uvarint(2), uvarint(9), uvarint(9)]) })
    const entries = (await openLtx(sourceOf(endless))).entries()
    await expect(drain(entries)).rejects.toMatchObject({ code: 'LTX_INDEX_INVALID' })
    for (const bytes of [plainLtx(sound).subarray(0, 1000), plainLtx({ ...sound, after: Buffer.alloc(3) })]) {
      await expect(openLtx(sourceOf(bytes)).then((opened) => opened.page(1))).rejects.toMatchObject({
        code: 'LTX_INDEX_INVALID',
      })
    }
  })

  test('files with rolling checksums are read, their checksum is verified, and none is written by a merge', async () => {
    const pages = [1, 2].map((pgno) => ({ pgno, data: Buffer.alloc(512, pgno) }))
    const first: PlainFile = { ...sound, flags: 0, pages, postApply: plainRolling(pages) }
    const newer = { pgno: 2, data: Buffer.alloc(512, 'new') }
    const after = plainRolling([pages[0] ?? newer, newer])
    const second: PlainFile = { ...change, flags: 0, pages: [newer], preApply: plainRolling(pages), postApply: after }
    expect((await verifyLtx(plainLtx(first))).postApplyChecksum).toBe(plainRolling(pages))
    const merged = await bytesOf(await mergeLtx([plainLtx(first), plainLtx(second)]))
    expect(await verifyLtx(merged)).toMatchObject({ header: { noChecksum: true }, postApplyChecksum: 0n })
    expect((await pagesIn(merged)).get(2)).toEqual(new Uint8Array(newer.data))

    const otherPast = plainLtx({ ...second, preApply: TOP_BIT | 1n })
    await expect(mergeLtx([plainLtx(first), otherPast]).then(bytesOf)).rejects.toMatchObject({
      code: 'LTX_CHECKSUM_MISMATCH',
      input: 1,
    })
    const otherFuture = plainLtx({ ...second, postApply: TOP_BIT | 1n })
    await expect(mergeLtx([plainLtx(first), otherFuture]).then(bytesOf)).rejects.toMatchObject({
      code: 'LTX_CHECKSUM_MISMATCH',
      input: 1,
    })
  })
})
