import {
  CHECKSUM_FLAG,
  HEADER_SIZE,
  INDEX_SIZE_SIZE,
  type LtxSummary,
  PAGE_FLAG_BLOCK,
  PAGE_HEADER_SIZE,
  type PageEncoding,
  TRAILER_SIZE,
} from './format.ts'
import { encodeHeader, type LtxHeader } from './header.ts'
import { type Crc64, crc64Bytes, crc64Value, type LtxKernel, maxLz4BlockSize } from './kernel/kernel.ts'
import { isPlainLz4Frame, maxLz4FrameSize, writeLz4Frame } from './lz4-frame.ts'
import { createPageOrder } from './page-order.ts'
import type { RawFrame } from './page-reader.ts'
import { createPageSizes } from './page-sizes.ts'
import { MAX_UVARINT_SIZE, writeUvarint } from './uvarint.ts'

/** Chunks double in size from the first to the largest, so that the many small files of a replica do not take 64 KB each. */
const FIRST_CHUNK_SIZE = 8192
const LAST_CHUNK_SIZE = 65536

export interface PageWriterOptions {
  readonly encoding: PageEncoding
  readonly kernel: LtxKernel
  /** Pages before this file; `undefined` where it is not known, as for the first input of a merge. */
  readonly prevCommit: number | undefined
  /** Whether a chunk's memory is used again once the next chunk was asked for; otherwise chunks are their taker's to keep. */
  readonly reuse: boolean
}

/** Writes one file, page by page, and holds the rules about pages. */
export interface PageWriter {
  /** Writes the page that stands in the kernel. Returns a chunk when one is full. */
  addKernelPage(pgno: number, raw?: RawFrame): Uint8Array | undefined
  /** End marker, index, trailer. */
  finish(): Generator<Uint8Array, LtxSummary, undefined>
}

export function createPageWriter(header: LtxHeader, options: PageWriterOptions): PageWriter {
  const { kernel } = options
  const { pageSize } = header
  const isBlock = options.encoding === 'block'
  const flags = isBlock ? PAGE_FLAG_BLOCK : 0
  const pageHeaderSize = PAGE_HEADER_SIZE + (isBlock ? 4 : 0)
  const maxPageSize = pageHeaderSize + (isBlock ? maxLz4BlockSize(pageSize) : maxLz4FrameSize(pageSize))
  const largestChunkSize = Math.max(LAST_CHUNK_SIZE, 2 * maxPageSize)
  let chunkSize = Math.max(options.reuse ? largestChunkSize : FIRST_CHUNK_SIZE, HEADER_SIZE + maxPageSize)
  const order = createPageOrder(header, options.prevCommit)
  const sizes = createPageSizes()
  const crc: Crc64 = { lo: 0, hi: 0 }

  let chunk = new Uint8Array(chunkSize)
  /** The chunk that was given away last, if its memory is to be used again. */
  let spare = new Uint8Array(0)
  let view = new DataView(chunk.buffer)
  let used = HEADER_SIZE
  let flushed = 0
  const headerBytes = encodeHeader(header)
  chunk.set(headerBytes)
  crc64Bytes(kernel, crc, headerBytes)

  /** Gives away the chunk if `size` more bytes would not fit. */
  function makeRoom(size: number): Uint8Array | undefined {
    if (chunkSize - used >= size) return undefined
    const full = chunk.subarray(0, used)
    flushed += used
    chunkSize = Math.min(2 * chunkSize, largestChunkSize)
    const next = spare.length === chunkSize ? spare : new Uint8Array(chunkSize)
    if (options.reuse) spare = chunk
    chunk = next
    view = new DataView(chunk.buffer)
    used = 0
    return full
  }

  /** Compresses the page to `at`, behind its header; returns the size of all. The checksum of an LZ4 frame is not written yet. */
  function writeFrame(pgno: number, at: number): number {
    view.setUint32(at, pgno)
    view.setUint16(at + 4, flags)
    if (!isBlock) return pageHeaderSize + writeLz4Frame(kernel, pageSize, chunk, view, at + pageHeaderSize)
    const size = kernel.compress(kernel.page, pageSize, kernel.packed)
    view.setUint32(at + PAGE_HEADER_SIZE, size)
    chunk.set(kernel.memory.subarray(kernel.packed, kernel.packed + size), at + pageHeaderSize)
    return pageHeaderSize + size
  }

  return {
    addKernelPage(pgno, raw) {
      order.next(pgno, flushed + used)
      const full = makeRoom(maxPageSize)
      const at = used
      if (raw && isReusable(raw, options.encoding, maxPageSize)) {
        chunk.set(raw.bytes.subarray(raw.from, raw.from + raw.size), at)
        used += raw.size
      } else used += writeFrame(pgno, at)
      // The file's checksum covers a page's header (and block size) and its uncompressed content.
      kernel.memory.set(chunk.subarray(at, at + pageHeaderSize), kernel.page - pageHeaderSize)
      if (isBlock) kernel.crc64(crc, kernel.page - pageHeaderSize, pageHeaderSize + pageSize)
      else view.setUint32(used - 4, kernel.hashPage(crc, pageHeaderSize, pageSize), true)
      sizes.add(pgno, used - at)
      return full
    },

    *finish() {
      order.end(flushed + used)
      const full = makeRoom(PAGE_HEADER_SIZE)
      if (full) yield full
      let hashed = used
      const hashChunk = () => {
        crc64Bytes(kernel, crc, chunk.subarray(hashed, used))
        hashed = used
      }
      chunk.fill(0, used, used + PAGE_HEADER_SIZE)
      used += PAGE_HEADER_SIZE
      const indexOffset = flushed + used
      for (const entry of sizes.entries()) {
        if (chunkSize - used < 3 * MAX_UVARINT_SIZE) {
          hashChunk()
          const next = makeRoom(chunkSize)
          hashed = used
          if (next) yield next
        }
        used = writeUvarint(chunk, used, entry.pgno)
        used = writeUvarint(chunk, used, entry.offset)
        used = writeUvarint(chunk, used, entry.size)
      }
      hashChunk()
      const last = makeRoom(1 + INDEX_SIZE_SIZE + TRAILER_SIZE)
      if (last) yield last
      hashed = used
      chunk[used++] = 0
      view.setBigUint64(used, BigInt(flushed + used - indexOffset))
      // Post-apply checksum 0: Litestream's restore refuses a chain that ends in a file with one.
      view.setBigUint64(used + INDEX_SIZE_SIZE, 0n)
      used += INDEX_SIZE_SIZE + TRAILER_SIZE / 2
      hashChunk()
      const fileChecksum = CHECKSUM_FLAG | crc64Value(crc)
      view.setBigUint64(used, fileChecksum)
      used += TRAILER_SIZE / 2
      yield chunk.subarray(0, used)
      return { pageCount: sizes.pageCount, sizeBytes: flushed + used, fileChecksum, postApplyChecksum: 0n }
    },
  }
}

/** Whether a page's frame may be copied from another file as it is: the same encoding, and nothing but what we would write. */
function isReusable(raw: RawFrame, encoding: PageEncoding, maxSize: number): boolean {
  if (raw.encoding !== encoding || raw.size > maxSize) return false
  return encoding === 'block' || isPlainLz4Frame(raw.view, raw.from + PAGE_HEADER_SIZE, raw.size - PAGE_HEADER_SIZE)
}
