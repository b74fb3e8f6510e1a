import type { LtxPage, LtxSummary, PageEncoding } from './format.ts'
import { checkHeader, isSnapshot, type LtxHeader, type LtxWal } from './header.ts'
import { defaultKernel, type LtxKernel } from './kernel/kernel.ts'
import { LtxError } from './ltx-error.ts'
import { checkEncoding, checkOptions, isPageCount } from './options.ts'
import { createPageWriter } from './page-writer.ts'
import { isBytes } from './source.ts'

/** What a new file is about. */
export interface LtxFileInfo {
  /** Bytes per page: a power of two, 512 to 65536. */
  readonly pageSize: number
  /** Size of the database after this file, in pages; at least 1. */
  readonly commit: number
  /** First transaction; 1 makes it a snapshot, which holds every page. */
  readonly minTxid: bigint
  readonly maxTxid: bigint
  /** When the database was in this state: milliseconds since 1970, UTC. */
  readonly timestampMs: number
  /** Where in the WAL the pages were read; needed at level 0. Without news: `{ offset: 32, size: 0, salt1, salt2 }`. */
  readonly wal?: LtxWal | null
}

export interface EncodeOptions {
  /** `frame` can be read by every Litestream 0.5; `block` by 0.5.16 and later, and is 15 to 23 bytes per page smaller. @default 'frame' */
  readonly encoding?: PageEncoding
  /**
   * Size of the database right before this file, in pages; needed unless it is a snapshot. A file that makes the database
   * larger must hold every new page.
   */
  readonly prevCommit?: number
  /**
   * The replica's level the file is for: 0 for single transactions, 1 to 8 for merged ones, 9 for snapshots.
   * @default 0 for one TXID, 9 for a snapshot of several
   */
  readonly level?: number
  /**
   * Uses the memory of a chunk again once the next one is asked for. Takes less memory and time; right for a loop that awaits the
   * writing of each chunk, wrong for `Readable.from` and everything else that takes chunks ahead. @default false
   */
  readonly reuse?: boolean
  /** Replaces the arithmetic. @default WebAssembly, or JavaScript where that may not be compiled */
  readonly kernel?: LtxKernel
}

/** A file that is being written. */
export interface LtxEncoding extends AsyncIterable<Uint8Array> {
  readonly header: LtxHeader
  /** Known once the last chunk was taken. */
  readonly summary: LtxSummary | undefined
}

/** Writes a file page by page, for callers that have their pages at hand and not in an iterable. */
export interface LtxEncoder {
  readonly header: LtxHeader
  /** Takes the next page (its bytes may be used again afterwards). Returns a chunk of the file when one is full. */
  add(pgno: number, data: Uint8Array): Uint8Array | undefined
  /** The rest of the file. Take all of it. */
  finish(): Generator<Uint8Array, LtxSummary, undefined>
}

const OPTIONS = ['encoding', 'prevCommit', 'level', 'reuse', 'kernel']

/**
 * Encodes pages as an LTX file, chunk by chunk, in memory that does not grow with the file (1.5 bytes per page for the index).
 *
 * Pages come in rising order; a snapshot has all of them but the lock page. The rules that decide whether Litestream can restore
 * the file are held: throws {@link LtxError} with a code, the offset in the new file and the rule.
 *
 * @example
 * const file = encodeLtx({ pageSize: 4096, commit: 2, minTxid: 1n, maxTxid: 1n, timestampMs, wal }, pages)
 * for await (const chunk of file) await out.write(chunk)
 */
export function encodeLtx(
  info: LtxFileInfo,
  pages: AsyncIterable<LtxPage> | Iterable<LtxPage>,
  options: EncodeOptions = {},
): LtxEncoding {
  const encoder = createLtxEncoder(info, options)
  if (typeof pages !== 'object' || pages === null || !(Symbol.iterator in pages || Symbol.asyncIterator in pages)) {
    throw new LtxError('LTX_SOURCE_INVALID', 'The pages are not something pages can be taken from.', {
      hint: 'Give an (async) iterable of { pgno, data }, rising.',
    })
  }
  let summary: LtxSummary | undefined
  let isStarted = false
  async function* chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    // `for await` over what does not need it would wait twice per page.
    if (Symbol.iterator in pages) {
      for (const page of pages) {
        const chunk = encoder.add(page.pgno, page.data)
        if (chunk) yield chunk
      }
    } else {
      for await (const page of pages) {
        const chunk = encoder.add(page.pgno, page.data)
        if (chunk) yield chunk
      }
    }
    summary = yield* encoder.finish()
  }
  return {
    header: encoder.header,
    get summary() {
      return summary
    },
    [Symbol.asyncIterator]() {
      if (isStarted) throw alreadyRead()
      isStarted = true
      return chunks()
    },
  }
}

/**
 * {@link encodeLtx} with the pages pushed in one by one. Throws {@link LtxError}.
 *
 * @example
 * const encoder = createLtxEncoder({ pageSize: 4096, commit: 2, minTxid: 1n, maxTxid: 1n, timestampMs, wal })
 * for (const { pgno, data } of pages) {
 *   const chunk = encoder.add(pgno, data)
 *   if (chunk) await out.write(chunk)
 * }
 * for (const chunk of encoder.finish()) await out.write(chunk)
 */
export function createLtxEncoder(info: LtxFileInfo, options: EncodeOptions = {}): LtxEncoder {
  checkOptions('encodeLtx', options, OPTIONS)
  const { encoding = 'frame', kernel = defaultKernel(), reuse = false } = options
  checkEncoding(encoding)
  if (typeof info !== 'object' || info === null) {
    throw new LtxError('LTX_OPTION_INVALID', 'Nothing is said about the file.', {
      hint: 'Give { pageSize, commit, minTxid, maxTxid, timestampMs, wal }.',
    })
  }
  const header: LtxHeader = {
    pageSize: info.pageSize,
    commit: info.commit,
    minTxid: info.minTxid,
    maxTxid: info.maxTxid,
    timestampMs: info.timestampMs,
    noChecksum: true,
    preApplyChecksum: 0n,
    wal: info.wal ?? null,
    nodeId: 0n,
  }
  checkHeader(header)
  const writer = createPageWriter(header, { encoding, kernel, reuse, prevCommit: prevCommitOf(header, options) })
  checkLevel(header, options.level ?? levelOf(header))
  let isFinished = false

  return {
    header,
    add(pgno, data) {
      if (isFinished) throw new LtxError('LTX_ALREADY_READ', 'The file is finished; no page can be added.')
      if (!Number.isInteger(pgno) || !isBytes(data) || data.length !== header.pageSize) {
        const has = isBytes(data) ? `${data.length} bytes` : 'something that is not a Uint8Array'
        throw new LtxError('LTX_PAGE_INVALID', `Page ${pgno} has ${has}.`, {
          rule: `Every page has a whole number and exactly ${header.pageSize} bytes.`,
        })
      }
      kernel.memory.set(data, kernel.page)
      return writer.addKernelPage(pgno)
    },
    finish() {
      if (isFinished) throw new LtxError('LTX_ALREADY_READ', 'The file is finished already.')
      isFinished = true
      return writer.finish()
    },
  }
}

export function alreadyRead(): LtxError {
  return new LtxError('LTX_ALREADY_READ', 'This can be read only once.', { hint: 'Start again from the source.' })
}

function prevCommitOf(header: LtxHeader, options: EncodeOptions): number {
  if (isSnapshot(header)) return 0
  const { prevCommit } = options
  if (isPageCount(prevCommit) && prevCommit >= 1) return prevCommit
  throw new LtxError('LTX_OPTION_INVALID', `prevCommit is ${prevCommit}.`, {
    rule: 'A file that makes the database larger holds every new page; that can only be checked against the size before it.',
    hint: 'Give the commit of the file before this one as prevCommit.',
  })
}

function levelOf(header: LtxHeader): number | undefined {
  if (header.minTxid === header.maxTxid) return 0
  return isSnapshot(header) ? 9 : undefined
}

// Litestream taking over a replica opens <max>-<max>.ltx at level 0 and looks for the end of what was read in the WAL: a wider
// file, or one without a place in the WAL, makes every sync of it fail.
function checkLevel(header: LtxHeader, level: number | undefined): void {
  if (level === undefined || !Number.isInteger(level) || level < 0 || level > 9) {
    throw new LtxError('LTX_OPTION_INVALID', `Level ${level} for TXID ${header.minTxid} to ${header.maxTxid}.`, {
      rule: 'At level 0 a file covers one TXID; a wider one is for level 1 to 8, or a snapshot for level 9.',
      hint: 'Merge files of one TXID each (mergeLtx), or give the level.',
    })
  }
  if (level === 9 && !isSnapshot(header)) {
    throw new LtxError('LTX_HEADER_INVALID', `A file from TXID ${header.minTxid} for level 9.`, {
      offset: 16,
      rule: 'Level 9 holds snapshots, which begin at TXID 1.',
    })
  }
  if (level > 0) return
  if (header.maxTxid !== header.minTxid) {
    throw new LtxError('LTX_HEADER_INVALID', `TXID ${header.minTxid} to ${header.maxTxid} at level 0.`, {
      offset: 24,
      rule: 'At level 0 a file covers exactly one TXID.',
    })
  }
  const { wal, pageSize } = header
  if (!wal || wal.offset < 32 || (wal.offset + wal.size - 32) % (24 + pageSize) !== 0) {
    throw new LtxError('LTX_HEADER_INVALID', wal ? `WAL bytes ${wal.offset} + ${wal.size}.` : 'No place in the WAL.', {
      offset: 48,
      rule: 'At level 0 the WAL offset is at least 32 and offset + size is on the boundary of a WAL frame (24 bytes + page).',
      hint: 'Where nothing of the WAL was read: { offset: 32, size: 0, salt1, salt2 } with the salts of the present WAL.',
    })
  }
}
