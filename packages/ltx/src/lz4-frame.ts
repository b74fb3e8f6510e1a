import { type LtxKernel, maxLz4BlockSize } from './kernel/kernel.ts'

// https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
// What Litestream writes for a page: version 01, independent blocks of at most 64 KB, a content checksum, nothing else.
const PLAIN_DESCRIPTOR = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7)
const MAGIC = 0x184d2204
const VERSION_MASK = 0xc0
const VERSION = 0x40
const FLG_BLOCK_CHECKSUM = 0x10
const FLG_CONTENT_SIZE = 0x08
const FLG_CONTENT_CHECKSUM = 0x04
const FLG_RESERVED = 0x02
const FLG_DICTIONARY = 0x01
const BD_RESERVED = 0x8f
const STORED = 0x80000000

/** Bytes of a frame around its one block: descriptor, block size, end mark, content checksum. */
const FRAME_OVERHEAD = PLAIN_DESCRIPTOR.length + 4 + 4 + 4

/** What is wrong with a frame, as a sentence. */
export type Lz4Fault = string

export const CONTENT_CHECKSUM_FAULT: Lz4Fault = 'Its content checksum is wrong.'

/** The largest frame that `writeLz4Frame` makes of a page. */
export function maxLz4FrameSize(pageSize: number): number {
  return pageSize + FRAME_OVERHEAD
}

/**
 * Compresses the page that stands in the kernel into one frame at `to`; returns its size.
 *
 * The content checksum, its last 4 bytes, is left to the caller, who has to go over the page for another checksum anyway.
 */
export function writeLz4Frame(
  kernel: LtxKernel,
  pageSize: number,
  out: Uint8Array,
  view: DataView,
  to: number,
): number {
  out.set(PLAIN_DESCRIPTOR, to)
  const at = to + PLAIN_DESCRIPTOR.length
  const packed = kernel.compress(kernel.page, pageSize, kernel.packed)
  const stored = packed >= pageSize
  const size = stored ? pageSize : packed
  const from = stored ? kernel.page : kernel.packed
  view.setUint32(at, stored ? (size | STORED) >>> 0 : size, true)
  out.set(kernel.memory.subarray(from, from + size), at + 4)
  view.setUint32(at + 4 + size, 0, true)
  return size + FRAME_OVERHEAD
}

/**
 * Finds the end of a frame by walking its blocks: a frame has no length field, and its magic may occur inside of it.
 *
 * Returns the frame's size when all of it is there, otherwise minus the number of bytes that must be there to go on.
 * `maxSize` bounds what a hostile frame can ask for.
 */
export function measureLz4Frame(view: DataView, from: number, end: number, maxSize: number): number | Lz4Fault {
  const have = end - from
  if (have < 7) return -7
  if (view.getUint32(from, true) !== MAGIC) return 'It does not begin with the magic of an LZ4 frame.'
  const flags = view.getUint8(from + 4)
  if ((flags & VERSION_MASK) !== VERSION || (flags & FLG_RESERVED) !== 0) {
    return `Frame flags 0x${flags.toString(16)} are not those of version 1.`
  }
  if ((flags & FLG_DICTIONARY) !== 0) return 'It needs a dictionary.'
  if ((flags & FLG_CONTENT_CHECKSUM) === 0) return 'It has no content checksum.'
  const blockSizeCode = view.getUint8(from + 5)
  if ((blockSizeCode & BD_RESERVED) !== 0 || blockSizeCode < 0x40) {
    return `Block descriptor 0x${blockSizeCode.toString(16)} is not defined.`
  }
  const afterBlock = (flags & FLG_BLOCK_CHECKSUM) !== 0 ? 4 : 0
  let size = (flags & FLG_CONTENT_SIZE) !== 0 ? 15 : 7
  for (;;) {
    if (size + 4 > maxSize) return `It is larger than ${maxSize} bytes.`
    if (have < size + 4) return -(size + 4)
    const field = view.getUint32(from + size, true)
    if (field === 0) break
    size += 4 + (field & 0x7fffffff) + afterBlock
  }
  size += 8
  return have < size ? -size : size
}

/**
 * The size of a frame of the form that every Litestream 0.5 writes, if it has one block only, as it then always has.
 *
 * 0 when its descriptor is another one. The caller has at least 11 bytes of it, and checks the end mark when all is there.
 */
export function sizeOfPlainLz4Frame(view: DataView, from: number): number {
  if (view.getUint32(from) !== 0x04224d18 || view.getUint32(from + 3) !== 0x186440a7) return 0
  return FRAME_OVERHEAD + (view.getUint32(from + 7, true) & 0x7fffffff)
}

/** Whether a measured frame is one that may be copied into a file for any Litestream 0.5 as it is. */
export function isPlainLz4Frame(view: DataView, from: number, size: number): boolean {
  return sizeOfPlainLz4Frame(view, from) === size
}

/** {@link readLz4Frame} for a plain frame with one block; false when it is not sound or has more blocks after all. */
export function readPlainLz4Frame(
  kernel: LtxKernel,
  pageSize: number,
  bytes: Uint8Array,
  view: DataView,
  from: number,
  size: number,
): boolean {
  const at = from + PLAIN_DESCRIPTOR.length + 4
  const packed = size - FRAME_OVERHEAD
  const stored = view.getUint32(at - 4, true) >= STORED
  if (stored && packed !== pageSize) return false
  kernel.memory.set(bytes.subarray(at, at + packed), stored ? kernel.page : kernel.packed)
  // Looked at after the copy: by then it is in the processor's cache.
  if (view.getUint32(at + packed, true) !== 0) return false
  return stored || kernel.decompress(kernel.packed, packed, kernel.page, pageSize, kernel.page) === pageSize
}

/** The most bytes a frame of a page may have: blocks may be as small as a byte, but none is empty. */
export function maxForeignLz4FrameSize(pageSize: number): number {
  return 64 + pageSize * 10
}

/**
 * Decompresses a whole frame, as measured, into the kernel's page; says what is wrong, or nothing.
 *
 * The content checksum, its last 4 bytes, is left to the caller, who has to go over the page for another checksum anyway.
 */
export function readLz4Frame(
  kernel: LtxKernel,
  pageSize: number,
  bytes: Uint8Array,
  view: DataView,
  from: number,
): Lz4Fault | undefined {
  const flags = view.getUint8(from + 4)
  const hasContentSize = (flags & FLG_CONTENT_SIZE) !== 0
  const hasBlockChecksums = (flags & FLG_BLOCK_CHECKSUM) !== 0
  const isLinked = (flags & 0x20) === 0
  let at = from + (hasContentSize ? 15 : 7)
  if (flags !== PLAIN_DESCRIPTOR[4] || view.getUint8(from + 5) !== PLAIN_DESCRIPTOR[5]) {
    kernel.memory.set(bytes.subarray(from + 4, at - 1), kernel.scratch)
    if (((kernel.xxh32(kernel.scratch, at - 1 - from - 4) >>> 8) & 0xff) !== view.getUint8(at - 1)) {
      return 'The checksum of its descriptor is wrong.'
    }
    if (hasContentSize && view.getBigUint64(from + 6, true) !== BigInt(pageSize)) {
      return 'Its content size is not the page size.'
    }
  } else if (view.getUint8(from + 6) !== PLAIN_DESCRIPTOR[6]) {
    return 'The checksum of its descriptor is wrong.'
  }
  const maxBlockSize = 1 << (8 + 2 * (view.getUint8(from + 5) >> 4))
  const packedLimit = maxLz4BlockSize(pageSize)
  let done = 0
  for (;;) {
    const field = view.getUint32(at, true)
    at += 4
    if (field === 0) break
    const size = field & 0x7fffffff
    if (size > packedLimit) return `A block of ${size} bytes cannot be part of a page.`
    kernel.memory.set(bytes.subarray(at, at + size), kernel.packed)
    at += size
    if (hasBlockChecksums) {
      if (kernel.xxh32(kernel.packed, size) !== view.getUint32(at, true)) return 'A block checksum is wrong.'
      at += 4
    }
    const to = kernel.page + done
    const limit = Math.min(pageSize - done, maxBlockSize)
    const window = isLinked ? kernel.page : to
    const stored = field >= STORED
    if (stored && size <= limit) kernel.memory.copyWithin(to, kernel.packed, kernel.packed + size)
    const got = stored ? (size <= limit ? size : -1) : kernel.decompress(kernel.packed, size, to, limit, window)
    if (got <= 0) return 'A block is damaged, empty or larger than the page.'
    done += got
  }
  return done === pageSize ? undefined : `It holds ${done} bytes.`
}
