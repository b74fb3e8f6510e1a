import { fstatSync } from 'node:fs'
import { BackupError } from '../errors.ts'
import { createFrameIndex, type FrameIndex } from '../wal/frame-index.ts'
import { frameHeaderBytes, frameOffset, isSameGeneration, type WalHeader } from '../wal/wal-header.ts'
import type { WalIndexHeader } from '../wal/wal-index.ts'
import type { Image } from './image.ts'
import type { LiveDatabase } from './live-database.ts'
import { scanWal } from './scan-wal.ts'
import { openWal, type WalFile } from './wal-files.ts'

export interface WalImage extends Image {
  /** Frames of the log that belong to it. */
  readonly frames: number
  /** @throws BackupError `DATABASE_REPLACED` when the log was taken away under the pin, which SQLite itself never does. */
  checkUndisturbed(): void
  close(): void
}

/**
 * The state of `index` while it is pinned: the database file, over it the newest frame of each page up to mxFrame, cut
 * to the page count of the last commit. Undefined when the log was reset before it could be read: pin anew.
 */
export async function openWalImage(
  live: LiveDatabase,
  index: WalIndexHeader,
  options: { readonly pageSize: number; readonly isBackfilled: boolean; readonly signal: AbortSignal },
): Promise<WalImage | undefined> {
  const { pageSize } = options
  // An index that was made for an empty log knows no page count: then it is the file's (pagerPagecount in pager.c).
  const pageCount = index.nPage || Math.ceil(fstatSync(live.fd).size / pageSize)
  if (options.isBackfilled || index.mxFrame === 0) {
    return {
      pageSize,
      pageCount,
      frames: 0,
      read: (target, firstPage) => readPages(live, pageSize, target, firstPage),
      checkUndisturbed: () => {},
      close: () => {},
    }
  }
  const wal = openWal(live)
  const header = wal?.header()
  const frames = wal && header && (await scanLog(wal, header, index, options.signal))
  if (wal === undefined || header === undefined || frames === undefined) {
    wal?.close()
    return undefined
  }
  return {
    pageSize,
    pageCount,
    frames: index.mxFrame,
    async read(target, firstPage) {
      await readPages(live, pageSize, target, firstPage)
      for (let at = 0; at < target.length; at += pageSize) {
        const frame = frames.get(firstPage + at / pageSize)
        if (frame === 0) continue
        const page = target.subarray(at, at + pageSize)
        if (wal.readAt(page, frameOffset(frame, pageSize) + frameHeaderBytes) < pageSize) throw disturbed(live)
      }
    },
    checkUndisturbed() {
      const now = openWal(live)
      const same = now !== undefined && now.inode === wal.inode && isSame(header, now.header())
      now?.close()
      if (!same) throw disturbed(live)
    },
    close: () => wal.close(),
  }
}

/** The newest frame of each page; undefined when the file does not hold the log that `index` describes. */
async function scanLog(
  wal: WalFile,
  header: WalHeader,
  index: WalIndexHeader,
  signal: AbortSignal,
): Promise<FrameIndex | undefined> {
  if (header.salt1 !== index.salt1 || header.salt2 !== index.salt2 || header.pageSize !== index.pageSize)
    return undefined
  const frames = createFrameIndex(Math.min(index.mxFrame, index.nPage))
  let commitPages = 0
  const scanner = await scanWal(wal, header, {
    lastFrame: index.mxFrame,
    onFrame(frame) {
      frames.set(frame.page, frame.number)
      commitPages = frame.commitPages
    },
    signal,
  })
  if (scanner.frame < index.mxFrame) return undefined
  const [s0, s1] = scanner.checksum
  const isTheCommit = s0 === index.frameChecksum[0] && s1 === index.frameChecksum[1] && commitPages === index.nPage
  return isTheCommit ? frames : undefined
}

/** Pages that were allocated but never written lie beyond the end of the file: zeros, as SQLite reads them. */
function readPages(live: LiveDatabase, pageSize: number, target: Buffer, firstPage: number): Promise<void> {
  const count = live.readAt(target, (firstPage - 1) * pageSize)
  target.fill(0, count)
  return Promise.resolve()
}

function isSame(a: WalHeader, b: WalHeader | undefined): boolean {
  return b !== undefined && isSameGeneration(a, b)
}

function disturbed(live: LiveDatabase): BackupError {
  return new BackupError('DATABASE_REPLACED', `The -wal of ${live.path} was taken away while it was being read.`, {
    hint: 'Something other than SQLite deletes or replaces these files. Nothing was kept.',
  })
}
