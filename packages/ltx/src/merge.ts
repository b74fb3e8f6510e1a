import { type LtxPages, pagesOf } from './decode.ts'
import { alreadyRead, type LtxEncoding } from './encode.ts'
import type { LtxSummary, PageEncoding } from './format.ts'
import { defaultKernel, type LtxKernel } from './kernel/kernel.ts'
import { LtxError } from './ltx-error.ts'
import { checkEncoding, checkOptions, checkPrevCommit } from './options.ts'
import { PageMerge } from './page-merge.ts'
import { PageReader } from './page-reader.ts'
import { createPageWriter } from './page-writer.ts'
import type { LtxInput } from './source.ts'

export interface MergeOptions {
  /** How pages are stored in the new file. Pages that are stored so already are copied without compressing them again. @default 'frame' */
  readonly encoding?: PageEncoding
  /** Size of the database right before the first file, in pages, if you know it: then growth is checked for that file, too. */
  readonly prevCommit?: number
  /** Uses the memory of a chunk (or page) again once the next one is asked for, as in `encodeLtx` and `decodeLtx`. @default false */
  readonly reuse?: boolean
  /** Replaces the arithmetic. @default WebAssembly, or JavaScript where that may not be compiled */
  readonly kernel?: LtxKernel
}

/** Files that are being merged into one. */
export interface LtxMerging extends LtxEncoding {
  /** Lets go of the inputs; nothing can be read after that. Needed only when the new file is not read. */
  close(): Promise<void>
}

/** How many inputs are opened at the same time. */
const OPEN_AT_ONCE = 16
/** What all inputs together hold of their files. */
const BUFFERS_SIZE = 8 * 1024 * 1024
const MIN_BUFFER_SIZE = 8192
const MAX_BUFFER_SIZE = 131072

/**
 * Merges files that follow each other into one: of each page the newest version, nothing beyond the last commit.
 *
 * The result has the first file's minTxid and the last one's maxTxid, commit and timestamp, and no WAL fields. Files are given in
 * the order of their TXIDs, may overlap, and must not leave a gap. Inputs that are given as
 * `{ sizeBytes, read }` hold 8 MB in all, 8 KB each where there are more than a thousand. Throws {@link LtxError}; its `input` says which file is meant.
 *
 * @example
 * for await (const chunk of await mergeLtx([snapshot, ...changes])) await out.write(chunk)
 */
export async function mergeLtx(inputs: readonly LtxInput[], options: MergeOptions = {}): Promise<LtxMerging> {
  checkOptions('mergeLtx', options, ['encoding', 'prevCommit', 'reuse', 'kernel'])
  const { encoding = 'frame', kernel = defaultKernel(), prevCommit, reuse = false } = options
  checkEncoding(encoding)
  const merge = await openMerge(inputs, kernel, prevCommit)
  const writer = createPageWriter(merge.header, { encoding, kernel, prevCommit, reuse })
  let summary: LtxSummary | undefined
  let isStarted = false
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for (;;) {
        let pgno = merge.peek()
        if (typeof pgno !== 'number') pgno = await pgno
        if (pgno === 0) break
        while (!merge.load()) await merge.more()
        const chunk = writer.addKernelPage(pgno, merge.frame)
        if (chunk) yield chunk
      }
      summary = yield* writer.finish()
    } finally {
      await merge.close()
    }
  }
  return {
    header: merge.header,
    get summary() {
      return summary
    },
    close() {
      isStarted = true
      return merge.close()
    },
    [Symbol.asyncIterator]() {
      if (isStarted) throw alreadyRead()
      isStarted = true
      return chunks()
    },
  }
}

/**
 * {@link mergeLtx} without encoding: the merged pages themselves, to be written into a database file. Throws {@link LtxError}.
 *
 * @example
 * await pipeline(databaseOf(await mergeLtxPages([snapshot, ...changes])), createWriteStream('app.db'))
 */
export async function mergeLtxPages(
  inputs: readonly LtxInput[],
  options: Omit<MergeOptions, 'encoding'> = {},
): Promise<LtxPages> {
  checkOptions('mergeLtxPages', options, ['prevCommit', 'reuse', 'kernel'])
  const { kernel = defaultKernel(), prevCommit, reuse = false } = options
  return pagesOf(await openMerge(inputs, kernel, prevCommit), kernel, reuse)
}

async function openMerge(
  inputs: readonly LtxInput[],
  kernel: LtxKernel,
  prevCommit: number | undefined,
): Promise<PageMerge> {
  checkPrevCommit(prevCommit)
  if (!Array.isArray(inputs)) {
    throw new LtxError('LTX_SOURCE_INVALID', 'The files to merge are not an array.', {
      hint: 'Give them in the order of their TXIDs: mergeLtx([snapshot, ...changes]).',
    })
  }
  const share = BUFFERS_SIZE / inputs.length
  // A power of two, so that ranges are, too.
  const bufferSize = 2 ** Math.floor(Math.log2(Math.max(MIN_BUFFER_SIZE, Math.min(MAX_BUFFER_SIZE, share))))
  const options = { kernel, name: undefined, prevCommit: undefined, bufferSize }
  const readers: PageReader[] = []
  try {
    for (let first = 0; first < inputs.length; first += OPEN_AT_ONCE) {
      const opening = inputs
        .slice(first, first + OPEN_AT_ONCE)
        .map((input, index) => PageReader.open(input, { ...options, input: first + index }))
      for (const opened of await Promise.allSettled(opening)) {
        if (opened.status === 'fulfilled') readers.push(opened.value)
      }
      await Promise.all(opening)
    }
    return new PageMerge(readers, kernel, prevCommit)
  } catch (error) {
    await Promise.all(readers.map((reader) => reader.close()))
    throw error
  }
}
