/**
 * Zstandard frames and the seekable format's seek table, as bytes. Pure.
 * https://github.com/facebook/zstd/blob/dev/doc/zstd_compression_format.md
 * https://github.com/facebook/zstd/blob/dev/contrib/seekable_format/zstd_seekable_compression_format.md
 */

export const zstdMagic = 0xfd2fb528
export const seekTableMagic = 0x184d2a5e
export const seekableMagic = 0x8f92eab1
export const seekTableFooterBytes = 9
/** No block is larger, compressed or not. */
export const maxBlockBytes = 128 * 1024

const checksumDescriptor = 0x80

/** Any of the sixteen magic numbers of skippable frames. */
export function isSkippableMagic(magic: number): boolean {
  return magic >>> 4 === 0x184d2a5
}

export interface FrameHeader {
  /** Of magic number and header. */
  readonly headerBytes: number
  /** Declared plain size, when the frame declares one. */
  readonly contentBytes: number | undefined
  /** What a decoder must keep in memory. */
  readonly windowBytes: number
  readonly hasChecksum: boolean
  readonly dictionaryId: number
}

/** Why a frame header cannot be used, as the end of a sentence. */
export type HeaderFault = { readonly fault: string }

/** How many bytes of the frame, from its magic number on, `parseFrameHeader` needs. `descriptor` is the fifth byte. */
export function frameHeaderBytes(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0
  const sizeFlag = descriptor >> 6
  const contentSizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag
  const dictionaryFlag = descriptor & 3
  const dictionaryBytes = dictionaryFlag === 3 ? 4 : dictionaryFlag
  return 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + contentSizeBytes
}

/** Reads a frame's header; `bytes` starts at the magic number and holds `frameHeaderBytes` bytes. */
export function parseFrameHeader(bytes: Buffer): FrameHeader | HeaderFault {
  const descriptor = bytes.readUInt8(4)
  if ((descriptor & 0x08) !== 0) return { fault: 'sets the reserved bit of its header' }
  // The format lets a decoder ignore this bit. No encoder sets it, so a set one is a flipped one.
  if ((descriptor & 0x10) !== 0) return { fault: 'sets the unused bit of its header' }
  const isSingleSegment = (descriptor & 0x20) !== 0
  let at = 5
  let windowBytes = 0
  if (!isSingleSegment) {
    const window = bytes.readUInt8(at)
    at += 1
    const base = 2 ** (10 + (window >> 3))
    windowBytes = base + (base / 8) * (window & 7)
  }
  const dictionaryFlag = descriptor & 3
  const dictionaryBytes = dictionaryFlag === 3 ? 4 : dictionaryFlag
  const dictionaryId = dictionaryBytes === 0 ? 0 : bytes.readUIntLE(at, dictionaryBytes)
  at += dictionaryBytes
  let contentBytes: number | undefined
  const sizeFlag = descriptor >> 6
  if (sizeFlag === 0 && isSingleSegment) contentBytes = bytes.readUInt8(at)
  else if (sizeFlag === 1) contentBytes = bytes.readUInt16LE(at) + 256
  else if (sizeFlag === 2) contentBytes = bytes.readUInt32LE(at)
  else if (sizeFlag === 3) {
    const size = bytes.readBigUInt64LE(at)
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) return { fault: `declares a content of ${size} bytes` }
    contentBytes = Number(size)
  }
  if (isSingleSegment) windowBytes = contentBytes ?? 0
  const hasChecksum = (descriptor & 0x04) !== 0
  return { headerBytes: frameHeaderBytes(descriptor), contentBytes, windowBytes, hasChecksum, dictionaryId }
}

export interface BlockHeader {
  readonly isLast: boolean
  /** Bytes that follow the three of the header. */
  readonly storedBytes: number
}

/** Reads a block's three header bytes; undefined for the reserved type or a block above the format's limit. */
export function parseBlockHeader(header: number): BlockHeader | undefined {
  const type = (header >> 1) & 3
  const size = header >>> 3
  if (type === 3 || size > maxBlockBytes) return undefined
  return { isLast: (header & 1) === 1, storedBytes: type === 1 ? 1 : size }
}

/** Length of the frame that `bytes` starts with; undefined when it is no frame or does not end inside them. */
export function measureFrame(frame: Uint8Array): number | undefined {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength)
  if (bytes.length < 5 || bytes.readUInt32LE(0) !== zstdMagic) return undefined
  if (bytes.length < frameHeaderBytes(bytes.readUInt8(4))) return undefined
  const header = parseFrameHeader(bytes)
  if ('fault' in header) return undefined
  let at = header.headerBytes
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) return undefined
    const block = parseBlockHeader(bytes.readUIntLE(at, 3))
    if (block === undefined) return undefined
    at += 3 + block.storedBytes
    isLast = block.isLast
  }
  if (header.hasChecksum) at += 4
  return at <= bytes.length ? at : undefined
}

/** One line of the seek table. */
export interface SeekEntry {
  readonly storedBytes: number
  readonly plainBytes: number
  /** Low 32 bits of the plain bytes' XXH64: the same four bytes a frame with a content checksum ends in. */
  readonly checksum: number
}

export function writeSeekEntry(target: Buffer, at: number, entry: SeekEntry): void {
  target.writeUInt32LE(entry.storedBytes, at)
  target.writeUInt32LE(entry.plainBytes, at + 4)
  target.writeUInt32LE(entry.checksum, at + 8)
}

/** The whole skippable frame that ends a seekable body, with checksums. */
export function encodeSeekTable(entries: readonly SeekEntry[]): Buffer {
  const table = Buffer.allocUnsafe(8 + entries.length * 12 + seekTableFooterBytes)
  table.writeUInt32LE(seekTableMagic, 0)
  table.writeUInt32LE(table.length - 8, 4)
  for (const [index, entry] of entries.entries()) writeSeekEntry(table, 8 + index * 12, entry)
  table.writeUInt32LE(entries.length, table.length - 9)
  table.writeUInt8(checksumDescriptor, table.length - 5)
  table.writeUInt32LE(seekableMagic, table.length - 4)
  return table
}

export interface SeekTableFooter {
  readonly frameCount: number
  readonly hasChecksums: boolean
  /** Of the whole skippable frame, its eight header bytes included. */
  readonly tableBytes: number
}

/** Reads the last nine bytes of a seekable body; undefined when they are no seek table's footer. */
export function parseSeekTableFooter(footer: Buffer): SeekTableFooter | undefined {
  if (footer.readUInt32LE(5) !== seekableMagic) return undefined
  const descriptor = footer.readUInt8(4)
  if (descriptor !== 0 && descriptor !== checksumDescriptor) return undefined
  const frameCount = footer.readUInt32LE(0)
  const hasChecksums = descriptor === checksumDescriptor
  return { frameCount, hasChecksums, tableBytes: 8 + frameCount * (hasChecksums ? 12 : 8) + seekTableFooterBytes }
}
