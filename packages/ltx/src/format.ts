/** Bytes of the file header. */
export const HEADER_SIZE = 100
/** Bytes before a page: page number and flags. */
export const PAGE_HEADER_SIZE = 6
/** Bytes at the end: post-apply checksum and file checksum. */
export const TRAILER_SIZE = 16
/** Bytes of the field that holds the size of the page index. */
export const INDEX_SIZE_SIZE = 8
/** Page flag: a 4-byte size and an LZ4 block follow, not an LZ4 frame. */
export const PAGE_FLAG_BLOCK = 1
/** Header flag: the file carries no rolling checksums of the database. */
export const HEADER_FLAG_NO_CHECKSUM = 2
/** Set in every checksum that is there, so that none is 0. */
export const CHECKSUM_FLAG = 1n << 63n

/** How a page is stored: `frame` is read by every Litestream 0.5, `block` by 0.5.16 and later. */
export type PageEncoding = 'frame' | 'block'

/** One page of a database file. */
export interface LtxPage {
  /** Its number, from 1. */
  readonly pgno: number
  /** Its content: as many bytes as a page has. */
  readonly data: Uint8Array
}

/** What stands at the end of a file, and what was counted on the way there. */
export interface LtxSummary {
  /** Pages in the file (not in the database). */
  readonly pageCount: number
  /** Bytes of the whole file. */
  readonly sizeBytes: number
  /** CRC-64 of header, uncompressed pages, index and post-apply checksum. It is not a hash of the stored bytes. */
  readonly fileChecksum: bigint
  /** Rolling checksum of the whole database after this file; 0 in files without checksums. */
  readonly postApplyChecksum: bigint
}

/** Whether SQLite can have pages of this size: a power of two from 512 to 65536. https://sqlite.org/fileformat2.html#pages */
export function isPageSize(size: number): boolean {
  return Number.isInteger(size) && size >= 512 && size <= 65536 && (size & (size - 1)) === 0
}

/**
 * The page that holds the byte at 1 GiB, where SQLite puts its file locks. It never has content and is in no LTX file.
 * https://sqlite.org/fileformat2.html#the_lock_byte_page
 */
export function lockPgno(pageSize: number): number {
  return Math.floor(0x40000000 / pageSize) + 1
}
