import { alreadyRead } from './encode.ts'
import type { LtxPage, LtxSummary } from './format.ts'
import type { LtxHeader } from './header.ts'
import { defaultKernel, type LtxKernel } from './kernel/kernel.ts'
import { LtxError } from './ltx-error.ts'
import { checkOptions, checkPrevCommit } from './options.ts'
import { PageReader, type PageStream } from './page-reader.ts'
import type { LtxInput } from './source.ts'

export interface VerifyOptions {
  /** The file's name, to be compared with the TXIDs in the header. A path is fine. */
  readonly name?: string
  /** Size of the database right before this file, in pages: then a file that lacks a new page is refused. */
  readonly prevCommit?: number
  /** Replaces the arithmetic. @default WebAssembly, or JavaScript where that may not be compiled */
  readonly kernel?: LtxKernel
}

export interface DecodeOptions extends VerifyOptions {
  /**
   * Uses the memory of a page again once the next one is asked for. Takes less memory and time; right for a loop that is done with
   * a page, or awaits its writing, before it goes on. @default false
   */
  readonly reuse?: boolean
}

/** The pages of one file, or of several merged. They can be read once. */
export interface LtxPages extends AsyncIterable<LtxPage> {
  readonly header: LtxHeader
  /** Lets go of the input; nothing can be read after that. Needed only when the pages are not read. */
  close(): Promise<void>
}

/** A file that is being read. */
export interface LtxDecoding extends LtxPages {
  /** Known once the last page was taken and everything was checked. */
  readonly summary: LtxSummary | undefined
}

/** A file that was read to its end without a fault. */
export interface LtxVerified extends LtxSummary {
  readonly header: LtxHeader
}

const OPTIONS = ['name', 'prevCommit', 'kernel'] as const
const BUFFER_SIZE = 131072
/** Pages are handed out in pieces of one allocation. */
const SLAB_SIZE = 65536

/**
 * Decodes an LTX file from its first byte to its last, and checks all of it on the way.
 *
 * A page that was handed out is only known to be good once the iteration has ended without an error: the file's checksum
 * stands at its end. Throws {@link LtxError} with a code, the offset and the rule.
 *
 * @example
 * const file = await decodeLtx(createReadStream('0000000000000001-0000000000000001.ltx'))
 * for await (const { pgno, data } of file) await db.write(data, 0, data.length, (pgno - 1) * file.header.pageSize)
 */
export async function decodeLtx(input: LtxInput, options: DecodeOptions = {}): Promise<LtxDecoding> {
  checkOptions('decodeLtx', options, [...OPTIONS, 'reuse'])
  const { kernel = defaultKernel(), reuse = false } = options
  const reader = await openReader(input, options, kernel)
  const pages = pagesOf(reader, kernel, reuse)
  return {
    header: reader.header,
    get summary() {
      return reader.summary
    },
    close: () => pages.close(),
    [Symbol.asyncIterator]: () => pages[Symbol.asyncIterator](),
  }
}

/**
 * Reads a file to its end and checks all of it, without handing out pages. Throws {@link LtxError}.
 *
 * @example
 * const { header, pageCount } = await verifyLtx(createReadStream(path), { name: path })
 */
export async function verifyLtx(input: LtxInput, options: VerifyOptions = {}): Promise<LtxVerified> {
  checkOptions('verifyLtx', options, OPTIONS)
  const { kernel = defaultKernel() } = options
  const reader = await openReader(input, options, kernel)
  try {
    while ((await reader.peek()) !== 0) while (!reader.load()) await reader.more()
    return { header: reader.header, ...reader.end() }
  } finally {
    await reader.close()
  }
}

async function openReader(input: LtxInput, options: VerifyOptions, kernel: LtxKernel): Promise<PageReader> {
  const { name, prevCommit } = options
  checkPrevCommit(prevCommit)
  if (name !== undefined && typeof name !== 'string') {
    throw new LtxError('LTX_OPTION_INVALID', `The name ${name} is no text.`, { hint: "It is the file's name or path." })
  }
  return PageReader.open(input, { kernel, name, prevCommit, bufferSize: BUFFER_SIZE, input: undefined })
}

/** A page stream as pages. */
export function pagesOf(stream: PageStream, kernel: LtxKernel, reuse: boolean): LtxPages {
  let isStarted = false
  return {
    header: stream.header,
    close() {
      isStarted = true
      return stream.close()
    },
    [Symbol.asyncIterator]() {
      if (isStarted) throw alreadyRead()
      isStarted = true
      return new PageIterator(stream, kernel, reuse)
    },
  }
}

/** An async generator by hand: per page it costs half of what `async function*` and `yield` do, which is a tenth of decoding. */
class PageIterator implements AsyncIterator<LtxPage, undefined> {
  readonly #stream: PageStream
  readonly #loaded: Uint8Array
  readonly #pageSize: number
  readonly #reuse: boolean
  readonly #slabSize: number
  #slab = new Uint8Array(0)
  #used = 0
  /** The last call that had to wait; calls that come meanwhile are answered after it. */
  #waiting: Promise<unknown> | undefined
  #isDone = false

  constructor(stream: PageStream, kernel: LtxKernel, reuse: boolean) {
    this.#stream = stream
    this.#pageSize = stream.header.pageSize
    this.#slabSize = reuse ? this.#pageSize : SLAB_SIZE
    this.#reuse = reuse
    this.#loaded = kernel.memory.subarray(kernel.page, kernel.page + this.#pageSize)
  }

  next(): Promise<IteratorResult<LtxPage, undefined>> {
    if (!this.#waiting && !this.#isDone) {
      try {
        const pgno = this.#stream.peek()
        if (typeof pgno === 'number' && pgno > 0 && this.#stream.load()) return Promise.resolve(this.#take(pgno))
        return this.#later(this.#nextLater(pgno))
      } catch (error) {
        return this.#later(this.#fail(error))
      }
    }
    return this.#later((this.#waiting ?? Promise.resolve()).then(() => this.#nextLater(-1)))
  }

  return(): Promise<IteratorResult<LtxPage, undefined>> {
    this.#isDone = true
    return this.#stream.close().then(() => ({ done: true, value: undefined }))
  }

  async #nextLater(peeked: number | Promise<number>): Promise<IteratorResult<LtxPage, undefined>> {
    if (this.#isDone) return { done: true, value: undefined }
    try {
      const pgno = await (peeked === -1 ? this.#stream.peek() : peeked)
      if (pgno > 0) {
        while (!this.#stream.load()) await this.#stream.more()
        return this.#take(pgno)
      }
    } catch (error) {
      return this.#fail(error)
    }
    return this.return()
  }

  async #fail(error: unknown): Promise<never> {
    this.#isDone = true
    await this.#stream.close()
    throw error
  }

  #later(answer: Promise<IteratorResult<LtxPage, undefined>>): Promise<IteratorResult<LtxPage, undefined>> {
    const settle = (): void => {
      if (this.#waiting === waiting) this.#waiting = undefined
    }
    const waiting: Promise<void> = answer.then(settle, settle)
    this.#waiting = waiting
    return answer
  }

  #take(pgno: number): IteratorYieldResult<LtxPage> {
    if (this.#used === this.#slab.length) {
      if (!this.#reuse || this.#slab.length === 0) this.#slab = new Uint8Array(this.#slabSize)
      this.#used = 0
    }
    const data = this.#slab.subarray(this.#used, this.#used + this.#pageSize)
    data.set(this.#loaded)
    this.#used += this.#pageSize
    return { done: false, value: { pgno, data } }
  }
}
