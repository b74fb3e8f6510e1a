import { ChunkWindow } from './chunk-window.ts'
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
import { decodeHeader, isSnapshot, type LtxHeader } from './header.ts'
import { createIndexDigest, type IndexDigest } from './index-digest.ts'
import { type Crc64, crc64Bytes, crc64Value, type LtxKernel, maxLz4BlockSize } from './kernel/kernel.ts'
import { LtxError, type LtxErrorCode, type LtxErrorDetails } from './ltx-error.ts'
import { parseLtxName } from './ltx-name.ts'
import {
  CONTENT_CHECKSUM_FAULT,
  maxForeignLz4FrameSize,
  maxLz4FrameSize,
  measureLz4Frame,
  readLz4Frame,
  readPlainLz4Frame,
  sizeOfPlainLz4Frame,
} from './lz4-frame.ts'
import { createPageOrder, type PageOrder } from './page-order.ts'
import { createRollingChecksum, type RollingChecksum } from './rolling-checksum.ts'
import { checkInput, chunksOf, type LtxInput, sizeOf } from './source.ts'

/** The frame a page came in, as it stands in the reader's window until the next call. */
export interface RawFrame {
  readonly encoding: PageEncoding
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly from: number
  readonly size: number
}

/**
 * Pages one after the other, by turns: `peek` says which comes, `load` puts it into the kernel.
 *
 * Promises come only when bytes are missing, which is worth a third of the time per page; and loading itself never waits,
 * because all files share the kernel: what stands there is gone with the next wait.
 */
export interface PageStream {
  readonly header: LtxHeader
  /** The number of the page that comes next; 0 at the end, when everything is checked. Asking again changes nothing. */
  peek(): number | Promise<number>
  /** Puts the page into `kernel.memory` at `kernel.page` and moves on. False when `more` must be awaited first. */
  load(): boolean
  more(): Promise<void>
  /** The frame of the page that was loaded last. */
  readonly frame: RawFrame
  close(): Promise<void>
}

export interface PageReaderOptions {
  readonly kernel: LtxKernel
  readonly name: string | undefined
  /** Pages before the file; `undefined` where it is not known, or will be said later. */
  readonly prevCommit: number | undefined
  /** Bytes of the file that are held at a time; ranges are asked for in halves of it. */
  readonly bufferSize: number
  readonly input: number | undefined
}

const BLOCK_HEADER_SIZE = PAGE_HEADER_SIZE + 4

/** Reads and checks one file from its first byte to its last. */
export class PageReader implements PageStream {
  readonly header: LtxHeader
  readonly #kernel: LtxKernel
  readonly #kernelView: DataView
  readonly #window: ChunkWindow
  readonly #input: number | undefined
  readonly #crc: Crc64
  readonly #index: IndexDigest
  readonly #rolling: RollingChecksum | undefined
  #order: PageOrder
  #pgno = -1
  #flags = 0
  #missing = 0
  #pageCount = 0
  #summary: LtxSummary | undefined
  #frameSize = 0

  /** Reads the header. Closes the input when that fails. */
  static async open(input: LtxInput, options: PageReaderOptions): Promise<PageReader> {
    try {
      checkInput(input)
    } catch (error) {
      throw withInput(error, options.input)
    }
    // A file that fits in the buffer is read at once, and takes no larger one.
    const fileSize = sizeOf(input)
    const fits = fileSize !== undefined && fileSize <= options.bufferSize
    const bufferSize = fits ? Math.max(fileSize, HEADER_SIZE) : options.bufferSize
    const window = new ChunkWindow(chunksOf(input, fits ? bufferSize : bufferSize / 2), bufferSize)
    try {
      await window.fill(HEADER_SIZE)
      const bytes = window.bytes.subarray(window.at, Math.min(window.at + HEADER_SIZE, window.end))
      const reader = new PageReader(window, bytes, options)
      window.at += HEADER_SIZE
      return reader
    } catch (error) {
      await window.close()
      throw withInput(error, options.input)
    }
  }

  private constructor(window: ChunkWindow, headerBytes: Uint8Array, options: PageReaderOptions) {
    const { kernel } = options
    this.header = decodeHeader(headerBytes)
    if (options.name !== undefined) checkName(options.name, this.header)
    this.#kernel = kernel
    this.#kernelView = new DataView(kernel.memory.buffer, kernel.memory.byteOffset)
    this.#window = window
    this.#input = options.input
    this.#crc = { lo: 0, hi: 0 }
    crc64Bytes(kernel, this.#crc, headerBytes)
    this.#index = createIndexDigest(kernel)
    this.#order = createPageOrder(this.header, options.prevCommit)
    if (!this.header.noChecksum && isSnapshot(this.header)) this.#rolling = createRollingChecksum(kernel)
  }

  /** What stands at the end; known once `peek` has said 0. */
  get summary(): LtxSummary | undefined {
    return this.#summary
  }

  /** What stands at the end; call it after `peek` has said 0. */
  end(): LtxSummary {
    if (!this.#summary) throw new TypeError('The end was not reached.')
    return this.#summary
  }

  get frame(): RawFrame {
    const { bytes, view, at } = this.#window
    const encoding = (this.#flags & PAGE_FLAG_BLOCK) !== 0 ? 'block' : 'frame'
    return { encoding, bytes, view, from: at - this.#frameSize, size: this.#frameSize }
  }

  /** Says before the first page how many pages the database had before this file: a missing new page is an error then. */
  expectGrowthFrom(prevCommit: number): void {
    this.#order = createPageOrder(this.header, prevCommit)
  }

  close(): Promise<void> {
    return this.#window.close()
  }

  peek(): number | Promise<number> {
    if (this.#pgno >= 0) return this.#pgno
    // After the pages come at least 31 bytes, so a page's header and block size can be asked for at once.
    return this.#window.has(BLOCK_HEADER_SIZE) ? this.#peekNow() : this.#peekLater()
  }

  async #peekLater(): Promise<number> {
    await this.#need(BLOCK_HEADER_SIZE)
    return this.#peekNow()
  }

  #peekNow(): number | Promise<number> {
    const { view, at, offset } = this.#window
    const pgno = view.getUint32(at)
    const flags = view.getUint16(at + 4)
    if (pgno === 0 && flags === 0) return this.#finish()
    if (pgno === 0 || (flags & ~PAGE_FLAG_BLOCK) !== 0) {
      this.#fail('LTX_PAGE_INVALID', `Page ${pgno} has flags 0x${flags.toString(16)}.`, {
        offset,
        rule: 'Only page flag 1 (LZ4 block) is defined; page 0 is the end marker and has none.',
      })
    }
    try {
      this.#order.next(pgno, offset)
    } catch (error) {
      throw withInput(error, this.#input)
    }
    this.#pgno = pgno
    this.#flags = flags
    return pgno
  }

  load(): boolean {
    const size = (this.#flags & PAGE_FLAG_BLOCK) !== 0 ? this.#loadBlock() : this.#loadFrame()
    if (size < 0) {
      this.#missing = -size
      return false
    }
    this.#hash(size)
    const window = this.#window
    const { pageSize } = this.header
    this.#rolling?.addKernelPage(this.#pgno, pageSize)
    this.#index.add(this.#pgno, window.offset, size)
    this.#frameSize = size
    window.at += size
    this.#pageCount++
    this.#pgno = -1
    return true
  }

  /** The file's checksum covers a page's header (and block size) and its uncompressed content. */
  #hash(size: number): void {
    const kernel = this.#kernel
    const { view, at } = this.#window
    if ((this.#flags & PAGE_FLAG_BLOCK) !== 0) {
      this.#kernelView.setUint32(kernel.page - 10, this.#pgno)
      this.#kernelView.setUint16(kernel.page - 6, this.#flags)
      this.#kernelView.setUint32(kernel.page - 4, size - BLOCK_HEADER_SIZE)
      kernel.crc64(this.#crc, kernel.page - BLOCK_HEADER_SIZE, BLOCK_HEADER_SIZE + this.header.pageSize)
      return
    }
    this.#kernelView.setUint32(kernel.page - 6, this.#pgno)
    this.#kernelView.setUint16(kernel.page - 2, this.#flags)
    const hash = kernel.hashPage(this.#crc, PAGE_HEADER_SIZE, this.header.pageSize)
    if (hash !== view.getUint32(at + size - 4, true)) this.#failLz4(CONTENT_CHECKSUM_FAULT)
  }

  more(): Promise<void> {
    return this.#need(this.#missing)
  }

  /** Decompresses the page and returns the size of its frame, or minus the number of bytes that must be there for that. */
  #loadBlock(): number {
    const { bytes, view, at } = this.#window
    const { pageSize } = this.header
    const kernel = this.#kernel
    const packedSize = view.getUint32(at + PAGE_HEADER_SIZE)
    if (packedSize > maxLz4BlockSize(pageSize)) {
      this.#fail('LTX_PAGE_INVALID', `Page ${this.#pgno} claims ${packedSize} compressed bytes.`, {
        offset: this.#window.offset + PAGE_HEADER_SIZE,
        rule: `An LZ4 block of ${pageSize} bytes has at most ${maxLz4BlockSize(pageSize)}.`,
      })
    }
    const size = BLOCK_HEADER_SIZE + packedSize
    if (!this.#window.has(size)) return -size
    kernel.memory.set(bytes.subarray(at + BLOCK_HEADER_SIZE, at + size), kernel.packed)
    const got = kernel.decompress(kernel.packed, packedSize, kernel.page, pageSize, kernel.page)
    if (got !== pageSize) this.#failLz4(got < 0 ? 'The block is damaged.' : `It holds ${got} bytes.`)
    return size
  }

  #loadFrame(): number {
    const { bytes, view, at, end } = this.#window
    const { pageSize } = this.header
    const from = at + PAGE_HEADER_SIZE
    if (end - from < 11) return -PAGE_HEADER_SIZE - 11
    const plainSize = sizeOfPlainLz4Frame(view, from)
    if (plainSize > 0 && plainSize <= maxLz4FrameSize(pageSize)) {
      if (end - from < plainSize) return -PAGE_HEADER_SIZE - plainSize
      if (readPlainLz4Frame(this.#kernel, pageSize, bytes, view, from, plainSize)) return PAGE_HEADER_SIZE + plainSize
    }
    // Another form, more blocks, or a fault that is worth a closer look.
    const frameSize = measureLz4Frame(view, from, end, maxForeignLz4FrameSize(pageSize))
    if (typeof frameSize === 'string') this.#failLz4(frameSize)
    if (frameSize < 0) return frameSize - PAGE_HEADER_SIZE
    const fault = readLz4Frame(this.#kernel, pageSize, bytes, view, from)
    if (fault !== undefined) this.#failLz4(fault)
    return PAGE_HEADER_SIZE + frameSize
  }

  /** Index, size of the index, trailer, end of file. */
  async #finish(): Promise<number> {
    const window = this.#window
    const crc = this.#crc
    const kernel = this.#kernel
    try {
      this.#order.end(window.offset)
    } catch (error) {
      throw withInput(error, this.#input)
    }
    crc64Bytes(kernel, crc, window.bytes.subarray(window.at, window.at + PAGE_HEADER_SIZE))
    window.at += PAGE_HEADER_SIZE

    const indexOffset = window.offset
    const expected = this.#index.finish()
    const actual: Crc64 = { lo: 0, hi: 0 }
    for (let left = expected.size; left > 0; ) {
      if (window.at === window.end) await this.#need(1)
      const piece = window.bytes.subarray(window.at, Math.min(window.at + left, window.end))
      crc64Bytes(kernel, actual, piece)
      crc64Bytes(kernel, crc, piece)
      window.at += piece.length
      left -= piece.length
    }
    if (actual.lo !== expected.crc.lo || actual.hi !== expected.crc.hi) {
      this.#fail('LTX_INDEX_INVALID', 'The page index does not describe the pages of the file.', {
        offset: indexOffset,
        rule: 'The index lists number, offset and size of every page, in order, and ends with a 0.',
      })
    }

    await this.#need(INDEX_SIZE_SIZE + TRAILER_SIZE)
    const { view, at } = window
    if (view.getBigUint64(at) !== BigInt(expected.size)) {
      this.#fail('LTX_INDEX_INVALID', `The index has ${expected.size} bytes and claims ${view.getBigUint64(at)}.`, {
        offset: window.offset,
        rule: 'The 8 bytes after the index are its size.',
      })
    }
    const postApplyChecksum = view.getBigUint64(at + INDEX_SIZE_SIZE)
    const fileChecksum = view.getBigUint64(at + INDEX_SIZE_SIZE + TRAILER_SIZE / 2)
    crc64Bytes(kernel, crc, window.bytes.subarray(at, at + INDEX_SIZE_SIZE + TRAILER_SIZE / 2))
    this.#checkTrailer(postApplyChecksum, fileChecksum, window.offset + INDEX_SIZE_SIZE)
    window.at += INDEX_SIZE_SIZE + TRAILER_SIZE
    if (await window.fill(1)) {
      this.#fail('LTX_TRAILING_BYTES', 'There are bytes after the end of the file.', {
        offset: window.offset,
        rule: 'A file ends with its checksum.',
      })
    }
    this.#summary = { pageCount: this.#pageCount, sizeBytes: window.offset, postApplyChecksum, fileChecksum }
    this.#pgno = 0
    await this.close()
    return 0
  }

  #checkTrailer(postApply: bigint, stored: bigint, offset: number): void {
    const computed = CHECKSUM_FLAG | crc64Value(this.#crc)
    if (computed !== stored) {
      this.#fail('LTX_CHECKSUM_MISMATCH', `The file's checksum is ${hex(computed)}, it says ${hex(stored)}.`, {
        offset: offset + 8,
        rule: 'The last 8 bytes are the CRC-64/GO-ISO of header, uncompressed pages, index and post-apply checksum.',
        hint: 'The file is damaged. Get another copy of it.',
      })
    }
    if (this.header.noChecksum ? postApply !== 0n : postApply < CHECKSUM_FLAG) {
      this.#fail('LTX_TRAILER_INVALID', `Post-apply checksum ${hex(postApply)}.`, {
        offset,
        rule: 'It is 0 in a file without checksums; otherwise its top bit is set.',
      })
    }
    if (this.#rolling && this.#rolling.value() !== postApply) {
      this.#fail(
        'LTX_CHECKSUM_MISMATCH',
        `The database's checksum is ${hex(this.#rolling.value())}, not ${hex(postApply)}.`,
        {
          offset,
          rule: 'The post-apply checksum of a snapshot is the XOR of the checksums of its pages.',
        },
      )
    }
  }

  async #need(size: number): Promise<void> {
    if (await this.#window.fill(size)) return
    const end = this.#window.offset + this.#window.end - this.#window.at
    this.#fail('LTX_TRUNCATED', `The file ends after ${end} bytes, in the middle.`, {
      offset: end,
      rule: 'Pages, end marker, page index, size of the index and trailer follow the header.',
      hint: 'The file was not written or copied to its end. Get another copy of it.',
    })
  }

  #failLz4(fault: string): never {
    this.#fail('LTX_LZ4_INVALID', `The LZ4 data of page ${this.#pgno} cannot be read. ${fault}`, {
      offset: this.#window.offset,
      rule: `A page decompresses to exactly ${this.header.pageSize} bytes.`,
    })
  }

  #fail(code: LtxErrorCode, message: string, details: LtxErrorDetails): never {
    throw withInput(new LtxError(code, message, details), this.#input)
  }
}

function hex(value: bigint): string {
  return value.toString(16).padStart(16, '0')
}

/** The same error, saying which input of a merge it is about. */
function withInput(error: unknown, input: number | undefined): unknown {
  if (input === undefined || !(error instanceof LtxError) || error.input !== undefined) return error
  const { code, message, offset, rule, hint, cause } = error
  return new LtxError(code, `Input ${input}: ${message}`, { offset, rule, hint, cause, input })
}

function checkName(name: string, header: LtxHeader): void {
  const range = parseLtxName(name.slice(name.lastIndexOf('/') + 1))
  if (range?.minTxid === header.minTxid && range.maxTxid === header.maxTxid) return
  throw new LtxError('LTX_NAME_MISMATCH', `"${name}" holds TXID ${header.minTxid} to ${header.maxTxid}.`, {
    offset: 16,
    rule: 'A file is named <minTxid>-<maxTxid>.ltx, each 16 lower-case hex digits.',
  })
}
