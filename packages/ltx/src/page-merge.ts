import { isSnapshot, type LtxHeader } from './header.ts'
import type { LtxKernel } from './kernel/kernel.ts'
import { LtxError } from './ltx-error.ts'
import type { PageReader, PageStream, RawFrame } from './page-reader.ts'
import { createRollingChecksum, type RollingChecksum } from './rolling-checksum.ts'

/** The header of the file that several become, in the order of their TXIDs. */
export function mergedHeader(headers: readonly LtxHeader[]): LtxHeader {
  const first = headers[0]
  const last = headers.at(-1)
  if (!first || !last) {
    throw new LtxError('LTX_MERGE_EMPTY', 'There is nothing to merge.', { hint: 'Give at least one file.' })
  }
  headers.slice(1).forEach((next, index) => {
    checkNeighbours(headers[index] ?? first, next, index + 1)
  })
  return {
    pageSize: first.pageSize,
    commit: last.commit,
    minTxid: first.minTxid,
    maxTxid: last.maxTxid,
    timestampMs: last.timestampMs,
    noChecksum: true,
    preApplyChecksum: 0n,
    wal: null,
    nodeId: 0n,
  }
}

function checkNeighbours(prev: LtxHeader, next: LtxHeader, input: number): void {
  if (next.pageSize !== prev.pageSize) {
    throw new LtxError(
      'LTX_MERGE_PAGE_SIZE',
      `Input ${input} has pages of ${next.pageSize} bytes, the one before of ${prev.pageSize}.`,
      {
        input,
        offset: 8,
        rule: 'All files of a merge have the same page size.',
        hint: 'Begin with the first snapshot of the new page size.',
      },
    )
  }
  if (next.minTxid > prev.maxTxid + 1n || next.maxTxid <= prev.maxTxid) {
    throw new LtxError(
      'LTX_MERGE_GAP',
      `Input ${input} covers TXID ${next.minTxid} to ${next.maxTxid}, after a file that ends at ${prev.maxTxid}.`,
      {
        input,
        offset: 16,
        rule: 'Each file begins at most one TXID after the end of the one before, and ends later than it.',
        hint: 'Sort the files by TXID, leave out those that others cover, and look for a missing one.',
      },
    )
  }
}

/** Where both files carry checksums and touch, the database one leaves is the one the next begins with. */
function checkChecksumChain(prev: PageReader, next: PageReader, input: number): void {
  if (prev.header.noChecksum || next.header.noChecksum || next.header.minTxid !== prev.header.maxTxid + 1n) return
  if (prev.end().postApplyChecksum === next.header.preApplyChecksum) return
  throw new LtxError(
    'LTX_CHECKSUM_MISMATCH',
    `Input ${input} was made for another database than the one before it leaves.`,
    {
      input,
      offset: 40,
      rule: 'The pre-apply checksum of a file is the post-apply checksum of the one before.',
    },
  )
}

/**
 * Files as one: rising page numbers, of each page the newest version, none beyond the last commit.
 *
 * Every page of every input is decompressed, also those that are not wanted: only so is each file's checksum proven. An input
 * that makes the database larger without bringing every new page is refused: what an older input has in that place was cut
 * off in between, and would come back.
 */
export class PageMerge implements PageStream {
  readonly header: LtxHeader
  readonly #readers: readonly PageReader[]
  readonly #rolling: RollingChecksum | undefined
  /** The page each input has next. */
  readonly #pgnos: Uint32Array
  /** Inputs with pages left, as a binary heap: on top the one with the lowest page, the newest of those. */
  readonly #heap: number[] = []
  /** Inputs whose next page is not known yet. */
  readonly #behind: number[]
  /** The input that has the newest version of the page that is due, and one with a page to be checked and dropped; or -1. */
  #winner = -1
  #loser = -1
  #wait: Promise<unknown> | undefined
  #isDone = false
  /** The input the page in the kernel came from. */
  #loaded = -1

  constructor(readers: readonly PageReader[], kernel: LtxKernel, prevCommit: number | undefined) {
    const headers = readers.map((reader) => reader.header)
    this.header = mergedHeader(headers)
    this.#readers = readers
    this.#pgnos = new Uint32Array(readers.length)
    this.#behind = readers.map((_, input) => input)
    readers.forEach((reader, input) => {
      const before = input === 0 ? prevCommit : headers[input - 1]?.commit
      if (before !== undefined) reader.expectGrowthFrom(before)
    })
    const last = headers.at(-1)
    if (isSnapshot(this.header) && last?.noChecksum === false) this.#rolling = createRollingChecksum(kernel)
  }

  get frame(): RawFrame {
    return this.#reader(this.#loaded).frame
  }

  peek(): number | Promise<number> {
    const pgno = this.#step()
    return pgno < 0 ? this.#peekLater() : pgno
  }

  async #peekLater(): Promise<number> {
    let pgno = -1
    for (; pgno < 0; pgno = this.#step()) await this.#wait
    return pgno
  }

  /** Finds the page that is due, or returns -1 when `#wait` must be awaited first. */
  #step(): number {
    for (;;) {
      if (this.#loser >= 0) {
        const reader = this.#reader(this.#loser)
        if (!reader.load()) {
          this.#wait = reader.more()
          return -1
        }
        this.#behind.push(this.#loser)
        this.#loser = -1
      }
      if (this.#winner < 0 && !this.#catchUp()) return -1
      const top = this.#heap[0]
      if (this.#winner < 0) {
        if (top === undefined) {
          this.#checkEnd()
          return 0
        }
        this.#pop()
        if (this.#pgno(top) > this.header.commit) this.#loser = top
        else this.#winner = top
      } else if (top !== undefined && this.#pgno(top) === this.#pgno(this.#winner)) {
        this.#loser = this.#pop()
      } else {
        return this.#pgno(this.#winner)
      }
    }
  }

  /** Asks the inputs whose page was taken for their next one; false when that must be awaited. */
  #catchUp(): boolean {
    for (let input = this.#behind.at(-1); input !== undefined; input = this.#behind.at(-1)) {
      const pgno = this.#reader(input).peek()
      if (typeof pgno !== 'number') {
        this.#wait = pgno
        return false
      }
      this.#behind.pop()
      this.#pgnos[input] = pgno
      if (pgno > 0) this.#push(input)
    }
    return true
  }

  load(): boolean {
    const reader = this.#reader(this.#winner)
    if (!reader.load()) return false
    this.#rolling?.addKernelPage(this.#pgno(this.#winner), this.header.pageSize)
    this.#loaded = this.#winner
    this.#behind.push(this.#winner)
    this.#winner = -1
    return true
  }

  more(): Promise<void> {
    return this.#reader(this.#winner).more()
  }

  async close(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.close()))
  }

  #checkEnd(): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#readers.forEach((reader, input) => {
      const prev = this.#readers[input - 1]
      if (prev) checkChecksumChain(prev, reader, input)
    })
    const input = this.#readers.length - 1
    if (this.#rolling && this.#rolling.value() !== this.#reader(input).end().postApplyChecksum) {
      throw new LtxError('LTX_CHECKSUM_MISMATCH', 'The merged database is not the one the last file was made from.', {
        input,
        rule: 'The post-apply checksum of the last file is the XOR of the checksums of all pages.',
      })
    }
  }

  #reader(input: number): PageReader {
    const reader = this.#readers[input]
    if (!reader) throw new RangeError(`No input ${input}.`)
    return reader
  }

  #pgno(input: number): number {
    return this.#pgnos[input] ?? 0
  }

  #isBefore(a: number, b: number): boolean {
    return this.#pgno(a) < this.#pgno(b) || (this.#pgno(a) === this.#pgno(b) && a > b)
  }

  #push(input: number): void {
    const heap = this.#heap
    let at = heap.length
    while (at > 0) {
      const parent = heap[(at - 1) >> 1] ?? 0
      if (!this.#isBefore(input, parent)) break
      heap[at] = parent
      at = (at - 1) >> 1
    }
    heap[at] = input
  }

  #pop(): number {
    const heap = this.#heap
    const top = heap[0] ?? -1
    const moved = heap.pop() ?? -1
    if (heap.length === 0) return top
    let at = 0
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && this.#isBefore(heap[child + 1] ?? 0, heap[child] ?? 0)) child++
      if (!this.#isBefore(heap[child] ?? 0, moved)) break
      heap[at] = heap[child] ?? 0
      at = child
    }
    heap[at] = moved
    return top
  }
}
