import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import * as ltx from './index.ts'
import { bytesOf, sourceOf } from './testing/files.ts'

// What a caller without TypeScript can get wrong is answered like everything else: with a code and what to do, before a byte of
// the file is written or read.

const wal = { offset: 32, size: 0, salt1: 1, salt2: 2 }
const info = { pageSize: 512, commit: 1, minTxid: 1n, maxTxid: 1n, timestampMs: 0, wal }
const pages = [{ pgno: 1, data: new Uint8Array(512).fill(7) }]
const file = await bytesOf(ltx.encodeLtx(info, pages))
const source = sourceOf(file)

/** The package as JavaScript sees it: nothing has a type. */
type Untyped = Record<string, (...args: readonly unknown[]) => Promise<unknown>>
const calls = ltx as unknown as Untyped
const encode = (...args: readonly unknown[]) =>
  bytesOf(ltx.encodeLtx(...(args as unknown as Parameters<typeof ltx.encodeLtx>)))

const HEADER = 'LTX_HEADER_INVALID'
const PAGE = 'LTX_PAGE_INVALID'
const SOURCE = 'LTX_SOURCE_INVALID'
const OPTION = 'LTX_OPTION_INVALID'

const wrong: Record<string, [code: string, call: () => unknown]> = {
  'a TXID that is a number': [HEADER, () => encode({ ...info, minTxid: 1, maxTxid: 1 }, pages)],
  'a last TXID that is a number': [HEADER, () => encode({ ...info, maxTxid: 2 }, pages)],
  'a TXID that is missing': [HEADER, () => encode({ ...info, minTxid: undefined }, pages)],
  'a page size that is text': [HEADER, () => encode({ ...info, pageSize: '512' }, pages)],
  'a page size with a fraction': [HEADER, () => encode({ ...info, pageSize: 512.5 }, pages)],
  'a page size beyond memory': [HEADER, () => encode({ ...info, pageSize: 2 ** 40 }, pages)],
  'nothing about the file': [OPTION, () => encode()],
  'no pages': [SOURCE, () => encode(info)],
  'pages that are a number': [SOURCE, () => encode(info, 1)],
  'pages that are a map': [PAGE, () => encode(info, new Map([[1, new Uint8Array(512)]]))],
  'a page of text': [PAGE, () => encode(info, [{ pgno: 1, data: 'x'.repeat(512) }])],
  'a page of numbers': [PAGE, () => encode(info, [{ pgno: 1, data: Array(512).fill(7) }])],
  'a page of 16-bit numbers': [PAGE, () => encode(info, [{ pgno: 1, data: new Uint16Array(512) }])],
  'a page without content': [PAGE, () => encode(info, [{ pgno: 1 }])],
  'options that are null': [OPTION, () => encode(info, pages, null)],
  'more pages before than there can be': [
    OPTION,
    () => encode({ ...info, minTxid: 2n, maxTxid: 2n }, pages, { prevCommit: 2 ** 32 }),
  ],
  'a path to decode': [SOURCE, () => calls.decodeLtx?.('0000000000000001-0000000000000001.ltx')],
  'nothing to decode': [SOURCE, () => calls.decodeLtx?.()],
  'a promise to verify': [SOURCE, () => calls.verifyLtx?.(Promise.resolve(file))],
  'a name that is a number': [OPTION, () => calls.verifyLtx?.(file, { name: 1 })],
  'a size that is a bigint': [SOURCE, () => calls.verifyLtx?.({ ...source, sizeBytes: BigInt(file.length) })],
  'a size that is text': [SOURCE, () => calls.verifyLtx?.({ ...source, sizeBytes: `${file.length}` })],
  'a size below zero': [SOURCE, () => calls.verifyLtx?.({ ...source, sizeBytes: -1 })],
  'a source that gives nothing': [SOURCE, () => calls.verifyLtx?.({ ...source, read: () => undefined })],
  'a source that gives numbers': [
    SOURCE,
    () => calls.openLtx?.({ ...source, read: (from: number, to: number) => [...file.subarray(from, to)] }),
  ],
  'nothing to open': [SOURCE, () => calls.openLtx?.()],
  'bytes to open': [SOURCE, () => calls.openLtx?.(file)],
  'a size without a read': [SOURCE, () => calls.openLtx?.({ sizeBytes: file.length })],
  'a page number that is a bigint': [OPTION, async () => (await ltx.openLtx(source)).page(1n as never)],
  'nothing to merge': [SOURCE, () => calls.mergeLtx?.()],
  'one file to merge, not in an array': [SOURCE, () => calls.mergeLtx?.(file)],
  'paths to merge': [SOURCE, () => calls.mergeLtx?.(['a.ltx'])],
  'the database of a promise': [SOURCE, () => bytesOf(ltx.databaseOf(ltx.decodeLtx(file) as never))],
  'a header of text': [SOURCE, async () => calls.decodeHeader?.('LTX1')],
  'a name of numbers': [OPTION, async () => calls.formatLtxName?.({ minTxid: 1, maxTxid: 1 })],
  'a TXID of text': [OPTION, async () => calls.formatTxid?.('ff')],
  'a checksum of page 0': [OPTION, async () => calls.pageChecksum?.({ pgno: 0, data: new Uint8Array(512) })],
}

test.each(Object.entries(wrong))('%s is told so', async (_, [code, call]) => {
  const error = await (async () => call())().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ltx.LtxError)
  expect(error).toMatchObject({ code })
})

test('which input of a merge is no file is said', async () => {
  await expect(ltx.mergeLtx([file, 'b.ltx' as never])).rejects.toMatchObject({ code: SOURCE, input: 1 })
})

test('what a source throws is passed on as it is', async () => {
  const down = new Error('The network is down.')
  const broken = { sizeBytes: file.length, read: () => Promise.reject(down) }
  for (const reading of [ltx.verifyLtx(broken), ltx.openLtx(broken), ltx.mergeLtx([broken])]) {
    await expect(reading).rejects.toBe(down)
  }
})

test('what was closed is not read any more, and is not called damaged', async () => {
  const code = 'LTX_ALREADY_READ'
  const opened = [await ltx.decodeLtx(file), await ltx.mergeLtx([file]), await ltx.mergeLtxPages([file])]
  for (const closed of opened) {
    await closed.close()
    expect(() => closed[Symbol.asyncIterator]()).toThrow(expect.objectContaining({ code }))
  }
})

test('bytes of another realm are bytes', async () => {
  const foreign = runInNewContext('Uint8Array.from(bytes)', { bytes: [...file] }) as Uint8Array
  expect(foreign).not.toBeInstanceOf(Uint8Array)
  expect((await ltx.verifyLtx(foreign)).pageCount).toBe(1)
  expect((await ltx.verifyLtx([foreign.subarray(0, 50), foreign.subarray(50)])).pageCount).toBe(1)
  const data = runInNewContext('new Uint8Array(512).fill(7)') as Uint8Array
  expect(await encode(info, [{ pgno: 1, data }])).toEqual(file)
})
