import { HEADER_SIZE, INDEX_SIZE_SIZE, PAGE_FLAG_BLOCK, PAGE_HEADER_SIZE, TRAILER_SIZE } from './format.ts'
import { decodeHeader, type LtxHeader } from './header.ts'
import { createIndexReader } from './index-reader.ts'
import { defaultKernel, type LtxKernel } from './kernel/kernel.ts'
import { LtxError } from './ltx-error.ts'
import { CONTENT_CHECKSUM_FAULT, maxForeignLz4FrameSize, measureLz4Frame, readLz4Frame } from './lz4-frame.ts'
import { checkOptions } from './options.ts'
import type { IndexEntry } from './page-sizes.ts'
import { checkSource, type LtxSource, readRange } from './source.ts'

/** The end of a file is fetched in one read of this size: trailer, size of the index, and the whole index of most files. */
const TAIL_SIZE = 32768
const MIN_FILE_SIZE = HEADER_SIZE + PAGE_HEADER_SIZE + 1 + INDEX_SIZE_SIZE + TRAILER_SIZE

/** An LTX file that pages are fetched from one by one. */
export interface LtxFile {
  readonly header: LtxHeader
  readonly fileChecksum: bigint
  readonly postApplyChecksum: bigint
  /** The page, or `undefined` when the file does not hold it. Throws {@link LtxError}. */
  page(pgno: number): Promise<Uint8Array | undefined>
  /** Where the pages stand in the file, in order of their numbers. */
  entries(): AsyncGenerator<IndexEntry, void, undefined>
}

/**
 * Opens a file for reading single pages by ranges: one read at each end, then one per page.
 *
 * The index is checked against itself and each page's frame against the index. The file's checksum cannot be: that takes reading
 * all of it (`verifyLtx`). A damaged page is noticed in `frame` encoding, which has a checksum per page; in `block` encoding
 * only when it no longer decompresses.
 *
 * @example
 * const file = await openLtx({ sizeBytes, read: (start, end) => fetchRange(url, start, end) })
 * const first = await file.page(1)
 */
export async function openLtx(source: LtxSource, options: { readonly kernel?: LtxKernel } = {}): Promise<LtxFile> {
  checkOptions('openLtx', options, ['kernel'])
  const { kernel = defaultKernel() } = options
  checkSource(source)
  const { sizeBytes } = source
  const header = decodeHeader(await readRange(source, 0, Math.min(HEADER_SIZE, sizeBytes)))
  if (sizeBytes < MIN_FILE_SIZE) {
    throw new LtxError('LTX_TRUNCATED', `The file ends after ${sizeBytes} bytes, in the middle.`, {
      offset: sizeBytes,
      rule: `No file is shorter than ${MIN_FILE_SIZE} bytes.`,
    })
  }
  const tailAt = Math.max(HEADER_SIZE, sizeBytes - TAIL_SIZE)
  const tail = await readRange(source, tailAt, sizeBytes)
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength)
  const indexEnd = sizeBytes - TRAILER_SIZE - INDEX_SIZE_SIZE
  const indexSize = view.getBigUint64(tail.length - TRAILER_SIZE - INDEX_SIZE_SIZE)
  const indexAt = indexEnd - Number(indexSize)
  if (indexSize < 1n || indexAt < HEADER_SIZE + PAGE_HEADER_SIZE) {
    throw new LtxError('LTX_INDEX_INVALID', `A page index of ${indexSize} bytes in a file of ${sizeBytes}.`, {
      offset: indexEnd,
      rule: 'The 8 bytes after the index are its size; header and end marker are before it.',
      hint: 'The file may be cut off, or have bytes after its end.',
    })
  }
  const read = (start: number, end: number) =>
    start >= tailAt ? tail.subarray(start - tailAt, end - tailAt) : readRange(source, start, end)
  const index = createIndexReader(header, { indexAt, indexEnd, read })

  return {
    header,
    postApplyChecksum: view.getBigUint64(tail.length - TRAILER_SIZE),
    fileChecksum: view.getBigUint64(tail.length - TRAILER_SIZE / 2),
    async page(pgno) {
      if (typeof pgno !== 'number') {
        throw new LtxError('LTX_OPTION_INVALID', `Page ${pgno} is a ${typeof pgno}.`, {
          rule: 'A page number is a number.',
        })
      }
      const entry = await index.find(pgno)
      if (!entry) return undefined
      return decodeFrame(await read(entry.offset, entry.offset + entry.size), entry, header.pageSize, kernel)
    },
    entries: () => index.entries(),
  }
}

function decodeFrame(bytes: Uint8Array, entry: IndexEntry, pageSize: number, kernel: LtxKernel): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const flags = view.getUint16(4)
  if (view.getUint32(0) !== entry.pgno || (flags & ~PAGE_FLAG_BLOCK) !== 0) {
    throw new LtxError('LTX_INDEX_INVALID', `The index says page ${entry.pgno} is here; there is something else.`, {
      offset: entry.offset,
      rule: 'The index lists number, offset and size of every page.',
    })
  }
  const fault = flags === 0 ? loadFrame(bytes, view, pageSize, kernel) : loadBlock(bytes, view, pageSize, kernel)
  if (fault !== undefined) {
    throw new LtxError('LTX_LZ4_INVALID', `The LZ4 data of page ${entry.pgno} cannot be read. ${fault}`, {
      offset: entry.offset,
      rule: `A page decompresses to exactly ${pageSize} bytes.`,
    })
  }
  return kernel.memory.slice(kernel.page, kernel.page + pageSize)
}

function loadFrame(bytes: Uint8Array, view: DataView, pageSize: number, kernel: LtxKernel): string | undefined {
  const size = measureLz4Frame(view, PAGE_HEADER_SIZE, bytes.length, maxForeignLz4FrameSize(pageSize))
  if (typeof size === 'string') return size
  if (size !== bytes.length - PAGE_HEADER_SIZE) return 'Its size is not that in the index.'
  const fault = readLz4Frame(kernel, pageSize, bytes, view, PAGE_HEADER_SIZE)
  if (fault !== undefined) return fault
  const stored = view.getUint32(bytes.length - 4, true)
  return kernel.xxh32(kernel.page, pageSize) === stored ? undefined : CONTENT_CHECKSUM_FAULT
}

function loadBlock(bytes: Uint8Array, view: DataView, pageSize: number, kernel: LtxKernel): string | undefined {
  const headerSize = PAGE_HEADER_SIZE + 4
  const size = bytes.length - headerSize
  if (size < 1 || view.getUint32(PAGE_HEADER_SIZE) !== size) return 'Its size is not that in the index.'
  kernel.memory.set(bytes.subarray(headerSize), kernel.packed)
  const got = kernel.decompress(kernel.packed, size, kernel.page, pageSize, kernel.page)
  return got === pageSize ? undefined : 'The block is damaged.'
}
