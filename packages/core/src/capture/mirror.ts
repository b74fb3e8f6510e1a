import { fstatSync } from 'node:fs'
import type { Image } from './image.ts'
import type { LiveDatabase } from './live-database.ts'
import type { CaptureBackup } from './protocol.ts'
import { pagesPerChunk } from './pump-image.ts'
import { createSpoolFile } from './spool-file.ts'

/** A raw copy of a database file in the spool that can be brought up to date. */
export interface Mirror extends Image {
  /** Reads the whole file and writes what differs, without any lock: it may be torn. Yields between chunks. */
  refresh(signal: AbortSignal): Promise<void>
  /** The same in one go, under the caller's lock, for a database of `pageCount` pages. False when time ran out. */
  compareUntil(pageCount: number, deadline: number): boolean
  /** Leaves off what the file has behind its last page, as with SQLITE_FCNTL_CHUNK_SIZE. False when it has fewer pages. */
  cutTo(pageCount: number): boolean
  close(): Promise<void>
}

/** @throws BackupError `SPOOL_NO_SPACE`, `SPOOL_FAILED` */
export async function createMirror(
  live: LiveDatabase,
  pageSize: number,
  { spoolFile, reserveBytes }: Pick<CaptureBackup, 'spoolFile' | 'reserveBytes'>,
): Promise<Mirror> {
  const expectedBytes = fstatSync(live.fd).size
  const file = await createSpoolFile(`${spoolFile}.raw`, { reserveBytes, expectedBytes, isAnonymous: true })
  const chunkBytes = pagesPerChunk(pageSize) * pageSize
  const source = Buffer.allocUnsafeSlow(chunkBytes)
  const copy = Buffer.allocUnsafeSlow(chunkBytes)
  let pageCount = 0

  /** Whether the copy lacked these bytes. */
  const differs = (chunk: Buffer, position: number): boolean => {
    if (position + chunk.length > file.sizeBytes) return true
    file.readSync(copy.subarray(0, chunk.length), position)
    return !chunk.equals(copy.subarray(0, chunk.length))
  }
  const readChunk = (position: number, sizeBytes: number): Buffer => {
    const chunk = source.subarray(0, Math.min(chunkBytes, sizeBytes - position))
    const count = live.readAt(chunk, position)
    chunk.fill(0, count)
    return chunk
  }

  return {
    pageSize,
    get pageCount() {
      return pageCount
    },
    read: (target, firstPage) => file.readAt(target, (firstPage - 1) * pageSize),
    async refresh(signal) {
      const sizeBytes = Math.ceil(fstatSync(live.fd).size / pageSize) * pageSize
      for (let position = 0; position < sizeBytes; position += chunkBytes) {
        signal.throwIfAborted()
        const chunk = readChunk(position, sizeBytes)
        if (differs(chunk, position)) await file.write(chunk, position)
        // An abort and a call for another database get their turn.
        else await new Promise(setImmediate)
      }
      pageCount = sizeBytes / pageSize
    },
    compareUntil(pages, deadline) {
      const sizeBytes = pages * pageSize
      for (let position = 0; position < sizeBytes; position += chunkBytes) {
        if (performance.now() > deadline) return false
        const chunk = readChunk(position, sizeBytes)
        if (differs(chunk, position)) file.writeSync(chunk, position)
      }
      pageCount = pages
      return true
    },
    cutTo(pages) {
      if (pages > pageCount) return false
      pageCount = pages
      return true
    },
    close: file.discard,
  }
}
