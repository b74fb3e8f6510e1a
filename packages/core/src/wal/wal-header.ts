import { addToChecksum, type Checksum, equalsStored } from './checksum.ts'
import { wordsOf } from './words.ts'

export const walHeaderBytes = 32
export const frameHeaderBytes = 24

const MAGIC_LITTLE_ENDIAN = 0x377f0682
const MAGIC_BIG_ENDIAN = 0x377f0683

/** The first 32 bytes of a `-wal` file: https://sqlite.org/fileformat2.html#walformat */
export interface WalHeader {
  /** Byte order of the words its checksums are made of. */
  readonly checksumOrder: 'LE' | 'BE'
  readonly pageSize: number
  /** Counts resets. */
  readonly sequence: number
  readonly salt1: number
  readonly salt2: number
  /** Where the frames' checksum chain starts. */
  readonly checksum: Readonly<Checksum>
}

/** Reads a WAL header; undefined when the bytes are none (too few, other magic, broken checksum). */
export function parseWalHeader(bytes: Buffer): WalHeader | undefined {
  if (bytes.length < walHeaderBytes) return undefined
  const magic = bytes.readUInt32BE(0)
  if (magic !== MAGIC_LITTLE_ENDIAN && magic !== MAGIC_BIG_ENDIAN) return undefined
  const checksumOrder = magic === MAGIC_BIG_ENDIAN ? 'BE' : 'LE'
  const checksum: Checksum = [0, 0]
  addToChecksum(checksum, wordsOf(bytes, 0, 24, checksumOrder), 0, 6)
  if (!equalsStored(checksum, bytes, 24)) return undefined
  return {
    checksumOrder,
    pageSize: bytes.readUInt32BE(8),
    sequence: bytes.readUInt32BE(12),
    salt1: bytes.readUInt32BE(16),
    salt2: bytes.readUInt32BE(20),
    checksum,
  }
}

/** Whether both describe the same generation of the log: nothing was reset in between. */
export function isSameGeneration(a: WalHeader, b: WalHeader): boolean {
  return a.salt1 === b.salt1 && a.salt2 === b.salt2 && a.sequence === b.sequence && a.pageSize === b.pageSize
}

/** Where frame `frame` (1-based) starts in the file. */
export function frameOffset(frame: number, pageSize: number): number {
  return walHeaderBytes + (frame - 1) * (pageSize + frameHeaderBytes)
}
