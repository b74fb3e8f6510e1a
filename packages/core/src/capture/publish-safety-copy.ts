import {
  closeSync,
  existsSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { BackupError } from '../errors.ts'
import { isWithoutLinks } from '../spool/durable.ts'
import type { DatabaseHeader } from '../wal/database-header.ts'
import { createFrameScanner, type FrameScanner } from '../wal/frame-scanner.ts'
import { frameHeaderBytes, frameOffset } from '../wal/wal-header.ts'
import type { WalIndexHeader } from '../wal/wal-index.ts'
import { type LiveDatabase, readFully } from './live-database.ts'
import { pinWal } from './pin-wal.ts'
import { openWal, readWalIndex, type WalFile } from './wal-files.ts'

/** A raw copy of a live database that follows its commits until the moment it is replaced. */
export interface SafetyCopy {
  /** Makes it hold every commit there is, on disk. Synchronous: the write lock is held meanwhile, so that no commit can follow. */
  complete(): void
  /** Returns the size of the copy. */
  close(): number
  /** Lets go of the live database and removes the copy. */
  discard(): void
}

/** What a safety copy is called until it is complete: a crash before leaves only this. */
export function draftName(file: string): string {
  return `${file}.draft`
}

const CHUNK_BYTES = 1024 * 1024

/**
 * Copies most of a live database before anyone has to wait; `complete` adds the rest.
 * @throws BackupError `DATABASE_BUSY`, `DATABASE_UNREADABLE`, `SPOOL_NO_SPACE`, `ABORTED`
 */
export async function startSafetyCopy(
  live: LiveDatabase,
  { pageSize, journalMode }: DatabaseHeader,
  file: string,
  signal: AbortSignal,
): Promise<SafetyCopy> {
  const draft = draftName(file)
  rmSync(draft, { force: true })
  const fd = openSync(draft, 'wx+', 0o600)
  let follower: Follower | undefined
  const letGo = (): void => {
    follower?.close()
    follower = undefined
  }
  try {
    follower = journalMode === 'wal' ? await followWal(live, pageSize, fd, signal) : followRollback(live, fd)
    await copyChunks(live, fd, signal)
    follower.catchUp()
    fsyncSync(fd)
  } catch (error) {
    letGo()
    closeSync(fd)
    rmSync(draft)
    throw spaceError(error, file)
  }
  return {
    complete() {
      try {
        follower?.complete()
        fsyncSync(fd)
        nameCopy(draft, file)
        fsyncFolder(dirname(file))
      } catch (error) {
        throw spaceError(error, file)
      }
      // From here on the log may be checkpointed: what it holds is in the copy.
      letGo()
    },
    close() {
      const { size } = fstatSync(fd)
      closeSync(fd)
      return size
    },
    discard() {
      letGo()
      closeSync(fd)
      for (const name of [draft, file]) rmSync(name, { force: true })
    },
  }
}

/** An older safety copy of this name must never be replaced, so it is not just renamed. */
function nameCopy(draft: string, file: string): void {
  try {
    linkSync(draft, file)
    rmSync(draft)
  } catch (error) {
    // Without hard links a look has to do: the name is random, and the spool is locked.
    if (!isWithoutLinks(error) || existsSync(file)) throw error
    renameSync(draft, file)
  }
}

interface Follower {
  /** Takes over what was committed meanwhile, when that is cheap without a lock. */
  catchUp(): void
  /** Takes over everything, with the write lock held. */
  complete(): void
  close(): void
}

async function copyChunks(live: LiveDatabase, fd: number, signal: AbortSignal): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES)
  for (let position = 0; ; position += buffer.length) {
    if (signal.aborted) throw new BackupError('ABORTED', 'The operation was aborted.', { cause: signal.reason })
    const count = live.readAt(buffer, position)
    writeFully(fd, buffer, 0, count, position)
    if (count < buffer.length) return
    // An abort must be heard between two chunks.
    await new Promise(setImmediate)
  }
}

/**
 * In rollback mode a lock is what keeps a writer from changing pages under the copy, so the copy is only a draft until
 * it has been compared, page for page, under the replacer's exclusive lock.
 */
function followRollback(live: LiveDatabase, fd: number): Follower {
  return {
    catchUp() {},
    complete() {
      const [current, copied] = [Buffer.allocUnsafeSlow(CHUNK_BYTES), Buffer.allocUnsafeSlow(CHUNK_BYTES)]
      for (let position = 0; ; position += CHUNK_BYTES) {
        const count = live.readAt(current, position)
        const had = readFully(fd, copied, position)
        if (count !== had || current.compare(copied, 0, count, 0, count) !== 0) {
          writeFully(fd, current, 0, count, position)
        }
        if (count < CHUNK_BYTES) return ftruncateSync(fd, position + count)
      }
    },
    close() {},
  }
}

/**
 * In WAL mode a read transaction of ours keeps the log from being reset, so every frame committed since is still in it,
 * and the database file changes only by frames that are in the log as well: laying the log over the copy makes it exact.
 */
async function followWal(live: LiveDatabase, pageSize: number, fd: number, signal: AbortSignal): Promise<Follower> {
  const connection = live.connect()
  const pin = await pinWal(live, connection, signal).catch((error: unknown) => {
    connection.close()
    throw error
  })
  if (pin === undefined) {
    connection.close()
    return followRollback(live, fd)
  }
  let wal: WalFile | undefined
  let scanner: FrameScanner | undefined
  let seen = pin.index

  const catchUp = (): void => {
    const now = steadyWalIndex(live)
    const isReset = now.salt1 !== seen.salt1 || now.salt2 !== seen.salt2
    if (scanner === undefined || isReset) {
      wal?.close()
      wal = undefined
      scanner = undefined
    }
    let commits = 0
    if (now.mxFrame > 0) {
      wal ??= openWal(live)
      const header = wal?.header()
      if (wal === undefined || header === undefined || header.salt1 !== now.salt1 || header.salt2 !== now.salt2)
        throw lost(live)
      scanner ??= createFrameScanner(header)
      const firstNew = isReset ? 1 : seen.mxFrame + 1
      commits = overlay({ live, wal, scanner, upTo: now.mxFrame, firstNew, pageSize, fd })
    }
    // iChange grows by one per commit and survives resets: equal counts prove that no frame escaped us.
    if ((now.iChange - seen.iChange) >>> 0 !== commits) throw lost(live)
    ftruncateSync(fd, now.mxFrame > 0 ? now.nPage * pageSize : fstatSync(live.fd).size)
    seen = now
  }

  return {
    catchUp,
    complete: catchUp,
    close() {
      if (connection.isOpen) connection.close()
      wal?.close()
    },
  }
}

interface Overlay {
  readonly live: LiveDatabase
  readonly wal: WalFile
  readonly scanner: FrameScanner
  /** The newest committed frame: what lies behind it may be half of a transaction. */
  readonly upTo: number
  /** Commits are counted from this frame on. */
  readonly firstNew: number
  readonly pageSize: number
  readonly fd: number
}

function overlay({ live, wal, scanner, upTo, firstNew, pageSize, fd }: Overlay): number {
  const frameBytes = pageSize + frameHeaderBytes
  const framesAtOnce = Math.max(1, Math.floor(CHUNK_BYTES / frameBytes))
  const buffer = Buffer.allocUnsafeSlow(framesAtOnce * frameBytes)
  let commits = 0
  while (scanner.frame < upTo) {
    const first = scanner.frame + 1
    const bytes = buffer.subarray(0, Math.min(framesAtOnce, upTo - scanner.frame) * frameBytes)
    const isWhole = wal.readAt(bytes, frameOffset(first, pageSize)) === bytes.length
    const isValid =
      isWhole &&
      scanner.scan(bytes, ({ number, page, commitPages }) => {
        const at = (number - first) * frameBytes + frameHeaderBytes
        writeFully(fd, bytes, at, pageSize, (page - 1) * pageSize)
        if (commitPages > 0 && number >= firstNew) commits += 1
      })
    if (!isValid) throw lost(live)
  }
  return commits
}

function steadyWalIndex(live: LiveDatabase): WalIndexHeader {
  // A writer changes the header within microseconds.
  for (let attempt = 0; attempt < 10_000; attempt++) {
    const header = readWalIndex(live)
    if (header !== undefined) return header
  }
  throw lost(live)
}

function lost(live: LiveDatabase): BackupError {
  return new BackupError('DATABASE_BUSY', `The commits of ${live.path} could not be followed to the last one.`, {
    hint: 'Nothing was changed. Try again, or stop the app first.',
  })
}

function writeFully(fd: number, bytes: Buffer, offset: number, length: number, position: number): void {
  for (let written = 0; written < length; ) {
    written += writeSync(fd, bytes, offset + written, length - written, position + written)
  }
}

function fsyncFolder(dir: string): void {
  const fd = openSync(dir, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function spaceError(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException).code
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new BackupError('SPOOL_NO_SPACE', `There is no room for the safety copy in ${dirname(file)}.`, {
    hint: 'Nothing was changed. Free some space on that volume.',
    cause: error,
  })
}
