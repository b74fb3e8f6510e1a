import { addToChecksum, type Checksum } from './checksum.ts'
import { nativeOrder, wordsOf } from './words.ts'

/** Two copies of the 48-byte header at the start of `-shm`. */
export const walIndexHeaderBytes = 96

const COPY_BYTES = 48
const VERSION = 3007000

/**
 * What SQLite's connections agree on about the log: https://sqlite.org/walformat.html#the_wal_index_header
 * Only frames up to `mxFrame` are committed. What the `-wal` file holds beyond may be the rest of a killed writer,
 * valid by its checksums and yet never committed.
 */
export interface WalIndexHeader {
  /** Grows by one with each commit and survives resets of the log. */
  readonly iChange: number
  readonly pageSize: number
  /** The newest committed frame; 0 when the log is empty. */
  readonly mxFrame: number
  /** Pages in the database after that commit. */
  readonly nPage: number
  /** Checksum of frame `mxFrame`, as the frame stores it. */
  readonly frameChecksum: Readonly<Checksum>
  readonly salt1: number
  readonly salt2: number
}

/**
 * Reads the wal-index header; undefined while a writer is in the middle of changing it (copies differ or its checksum
 * fails), or when the file was never initialised.
 */
export function parseWalIndexHeader(bytes: Buffer): WalIndexHeader | undefined {
  if (bytes.length < walIndexHeaderBytes) return undefined
  // The second copy is written first: equal copies are a whole header (walIndexTryHdr in SQLite's wal.c).
  if (bytes.compare(bytes, COPY_BYTES, 2 * COPY_BYTES, 0, COPY_BYTES) !== 0) return undefined
  const words = wordsOf(bytes, 0, COPY_BYTES, nativeOrder)
  if (words[0] !== VERSION || bytes[12] !== 1) return undefined
  const checksum: Checksum = [0, 0]
  addToChecksum(checksum, words, 0, 10)
  if (checksum[0] !== words[10] || checksum[1] !== words[11]) return undefined
  return {
    iChange: unsigned(words[2]),
    pageSize: parsePageSize(nativeOrder === 'LE' ? bytes.readUInt16LE(14) : bytes.readUInt16BE(14)),
    mxFrame: unsigned(words[4]),
    nPage: unsigned(words[5]),
    frameChecksum: [words[6] as number, words[7] as number],
    // Salts are copied as bytes from the WAL header, whatever the machine's order.
    salt1: bytes.readUInt32BE(32),
    salt2: bytes.readUInt32BE(36),
  }
}

// 65536 does not fit in 16 bits and is stored as 1.
function parsePageSize(raw: number): number {
  return (raw & 0xfe00) | ((raw & 1) << 16)
}

function unsigned(word: number | undefined): number {
  return (word as number) >>> 0
}
