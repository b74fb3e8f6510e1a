import { HEADER_SIZE } from './format.ts'

const BLOCK = 256
/** Segments double in size up to the largest, which is so large that it gets memory of its own and fragments none. */
const FIRST_SEGMENT_SIZE = 4096
const LAST_SEGMENT_SIZE = 1024 * 1024
/** A block: bits per gap, bits per size, least size; then gaps and sizes as bits. */
const BLOCK_HEADER_SIZE = 6
const MAX_BLOCK_SIZE = BLOCK_HEADER_SIZE + (BLOCK * (32 + 32)) / 8

/** One line of the page index. */
export interface IndexEntry {
  readonly pgno: number
  /** Where the page's header stands in the file. */
  readonly offset: number
  /** Bytes of header and payload. */
  readonly size: number
}

/**
 * Remembers a file's page index until it can be written, in about 1.5 bytes per page instead of 11.
 *
 * A snapshot of 100 GB has 24 million pages. Offsets are sums of sizes and page numbers mostly follow each other, so per 256
 * pages only the gaps and the sizes above the least one are kept, each in as many bits as the largest needs.
 */
export interface PageSizes {
  readonly pageCount: number
  add(pgno: number, size: number): void
  /** All entries, in order. */
  entries(): Generator<IndexEntry, void, undefined>
}

function bitsFor(value: number): number {
  return 32 - Math.clz32(value)
}

export function createPageSizes(): PageSizes {
  const segments: Uint8Array[] = []
  let segment = new Uint8Array(0)
  let used = 0
  const gaps = new Uint32Array(BLOCK)
  const sizes = new Uint32Array(BLOCK)
  let pending = 0
  let pageCount = 0
  let last = 0

  function pack(): void {
    if (segment.length - used < MAX_BLOCK_SIZE) {
      if (used > 0) segments.push(segment.subarray(0, used))
      segment = new Uint8Array(Math.max(FIRST_SEGMENT_SIZE, Math.min(2 * segment.length, LAST_SEGMENT_SIZE)))
      used = 0
    }
    let minSize = sizes[0] ?? 0
    let maxSize = 0
    let maxGap = 0
    for (let k = 0; k < pending; k++) {
      minSize = Math.min(minSize, sizes[k] ?? 0)
      maxSize = Math.max(maxSize, sizes[k] ?? 0)
      maxGap = Math.max(maxGap, gaps[k] ?? 0)
    }
    const gapBits = bitsFor(maxGap)
    const sizeBits = bitsFor(maxSize - minSize)
    segment[used] = gapBits
    segment[used + 1] = sizeBits
    new DataView(segment.buffer).setUint32(used + 2, minSize)
    let bit = (used + BLOCK_HEADER_SIZE) * 8
    for (let k = 0; k < pending; k++) {
      bit = writeBits(segment, bit, gaps[k] ?? 0, gapBits)
      bit = writeBits(segment, bit, (sizes[k] ?? 0) - minSize, sizeBits)
    }
    used = (bit + 7) >> 3
    pending = 0
  }

  return {
    get pageCount() {
      return pageCount
    },
    add(pgno, size) {
      gaps[pending] = pgno - last - 1
      sizes[pending] = size
      last = pgno
      pageCount++
      if (++pending === BLOCK) pack()
    },
    *entries() {
      let pgno = 0
      let offset = HEADER_SIZE
      for (const packed of [...segments, segment.subarray(0, used)]) {
        const view = new DataView(packed.buffer, packed.byteOffset)
        for (let at = 0; at < packed.length; ) {
          const gapBits = packed[at] ?? 0
          const sizeBits = packed[at + 1] ?? 0
          const minSize = view.getUint32(at + 2)
          let bit = (at + BLOCK_HEADER_SIZE) * 8
          for (let k = 0; k < BLOCK; k++) {
            pgno += 1 + readBits(packed, bit, gapBits)
            const size = minSize + readBits(packed, bit + gapBits, sizeBits)
            bit += gapBits + sizeBits
            yield { pgno, offset, size }
            offset += size
          }
          at = (bit + 7) >> 3
        }
      }
      for (let k = 0; k < pending; k++) {
        const size = sizes[k] ?? 0
        pgno += 1 + (gaps[k] ?? 0)
        yield { pgno, offset, size }
        offset += size
      }
    },
  }
}

/** Writes the low `width` bits of `value` at bit `at`, lowest first, into zeroed bytes; returns the position after them. */
function writeBits(bytes: Uint8Array, at: number, value: number, width: number): number {
  const end = at + width
  while (at < end) {
    const shift = at & 7
    const index = at >> 3
    bytes[index] = (bytes[index] ?? 0) | ((value << shift) & 255)
    value >>>= 8 - shift
    at += 8 - shift
  }
  return end
}

function readBits(bytes: Uint8Array, at: number, width: number): number {
  let value = 0
  for (let got = 0; got < width; ) {
    const shift = (at + got) & 7
    value += ((bytes[(at + got) >> 3] ?? 0) >> shift) * 2 ** got
    got += 8 - shift
  }
  return value % 2 ** width
}
