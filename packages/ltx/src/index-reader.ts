import { HEADER_SIZE, lockPgno, PAGE_HEADER_SIZE } from './format.ts'
import { isSnapshot, type LtxHeader } from './header.ts'
import { LtxError } from './ltx-error.ts'
import { maxForeignLz4FrameSize } from './lz4-frame.ts'
import type { IndexEntry } from './page-sizes.ts'
import { readUvarint, type UvarintCursor } from './uvarint.ts'

/** Entries between two marks. */
const STRIDE = 256
/** Bytes of index that are read at a time when it is gone through. */
const SCAN_SIZE = 262144
/** An index of up to this size is read once and kept. */
const KEEP_SIZE = 1024 * 1024

/** Where the index is in the file, and how to read it. */
export interface IndexRange {
  readonly indexAt: number
  readonly indexEnd: number
  read(start: number, end: number): Uint8Array | Promise<Uint8Array>
}

/** The page index of an opened file. */
export interface IndexReader {
  find(pgno: number): Promise<IndexEntry | undefined>
  entries(): AsyncGenerator<IndexEntry, void, undefined>
}

/** A place between two entries: where in the file it is, the page before it, and where the frame of the page after it begins. */
interface Mark {
  readonly at: number
  readonly pgno: number
  readonly offset: number
}

/**
 * Looks up pages in an index that may be far larger than memory should be: 280 MB for a 100 GB snapshot.
 *
 * It can only be read from its beginning, because its entries have no fixed size. The first search that goes beyond what was read
 * so far reads on; every 256th place is remembered, and a later search reads only what is between two of those.
 */
export function createIndexReader(header: LtxHeader, range: IndexRange): IndexReader {
  const { indexAt, indexEnd } = range
  const framesEnd = indexAt - PAGE_HEADER_SIZE
  const maxSize = PAGE_HEADER_SIZE + maxForeignLz4FrameSize(header.pageSize)
  const lock = lockPgno(header.pageSize)
  const start: Mark = { at: indexAt, pgno: 0, offset: HEADER_SIZE }
  const marks: Mark[] = [start]
  let kept: Promise<Uint8Array> | undefined

  async function read(from: number, to: number): Promise<Uint8Array> {
    if (indexEnd - indexAt > KEEP_SIZE) return range.read(from, to)
    kept ??= Promise.resolve(range.read(indexAt, indexEnd)).catch((error: unknown) => {
      kept = undefined
      throw error
    })
    return (await kept).subarray(from - indexAt, to - indexAt)
  }

  function fail(at: number, message: string): never {
    throw new LtxError('LTX_INDEX_INVALID', message, {
      offset: at,
      rule: 'The index lists number, offset and size of every page, in order, without gaps between frames, and ends with a 0.',
      hint: 'The file is damaged, cut off, or has bytes after its end.',
    })
  }

  /** Reads the entry at the cursor; `undefined` when its bytes are not all there, and the end mark as page 0. */
  function parse(cursor: UvarintCursor, at: number): IndexEntry | undefined {
    const pgno = readUvarint(cursor)
    const offset = pgno === 0 ? 0 : readUvarint(cursor)
    const size = pgno === 0 ? 0 : readUvarint(cursor)
    if (pgno === -2 || offset === -2 || size === -2) fail(at, 'A number of the index is too long.')
    return pgno < 0 || offset < 0 || size < 0 ? undefined : { pgno, offset, size }
  }

  function check(entry: IndexEntry, before: Mark, at: number): void {
    const { pgno, offset, size } = entry
    const next = before.pgno + 1 === lock ? lock + 1 : before.pgno + 1
    if (pgno < next || pgno > header.commit || pgno === lock || (isSnapshot(header) && pgno !== next)) {
      fail(at, `The index has page ${pgno} after page ${before.pgno} in a database of ${header.commit} pages.`)
    }
    if (offset !== before.offset || size <= PAGE_HEADER_SIZE || size > maxSize || offset + size > framesEnd) {
      fail(at, `The index has page ${pgno} at ${offset} with ${size} bytes; the page before ends at ${before.offset}.`)
    }
  }

  function isUnfinished(last: number): boolean {
    return isSnapshot(header) && last < (header.commit === lock ? lock - 1 : header.commit)
  }

  /** The entries after a mark, each with the mark that follows it. */
  async function* scan(
    from: Mark,
    firstEnd: number,
  ): AsyncGenerator<{ entry: IndexEntry; after: Mark }, void, undefined> {
    let before = from
    let end = firstEnd
    for (;;) {
      const base = before.at
      const bytes = await read(base, end)
      const cursor = { bytes, at: 0, end: bytes.length }
      for (;;) {
        const at = base + cursor.at
        const entry = parse(cursor, at)
        if (!entry) break
        if (entry.pgno === 0) {
          if (base + cursor.at !== indexEnd || before.offset !== framesEnd || isUnfinished(before.pgno)) {
            fail(at, `The index ends after page ${before.pgno}, too early.`)
          }
          return
        }
        check(entry, before, at)
        before = { at: base + cursor.at, pgno: entry.pgno, offset: entry.offset + entry.size }
        yield { entry, after: before }
      }
      if (end === indexEnd) fail(before.at, 'The index has no end mark.')
      end = Math.min(before.at + SCAN_SIZE, indexEnd)
    }
  }

  function markBefore(pgno: number): number {
    let low = 0
    let high = marks.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((marks[middle]?.pgno ?? 0) < pgno) low = middle
      else high = middle - 1
    }
    return low
  }

  return {
    async find(pgno) {
      if (!Number.isInteger(pgno) || pgno < 1 || pgno > header.commit) return undefined
      const index = markBefore(pgno)
      const mark = marks[index] ?? start
      const end = marks[index + 1]?.at ?? Math.min(mark.at + SCAN_SIZE, indexEnd)
      let count = 0
      for await (const { entry, after } of scan(mark, end)) {
        // Another search may have read further in the meantime.
        if (++count % STRIDE === 0 && after.at > (marks.at(-1)?.at ?? 0)) marks.push(after)
        if (entry.pgno >= pgno) return entry.pgno === pgno ? entry : undefined
      }
      return undefined
    },
    async *entries() {
      for await (const { entry } of scan(start, Math.min(indexAt + SCAN_SIZE, indexEnd))) yield entry
    },
  }
}
