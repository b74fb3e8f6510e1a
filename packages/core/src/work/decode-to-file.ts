import { type FileHandle, open, statfs, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type DecodeOptions, type DecodeResult, freedChunkBytes, heldChunkBytes } from '../codec/codec.ts'
import { decodeBody } from '../codec/decode-body.ts'
import { BackupError, isBackupError } from '../errors.ts'
import { formatSize } from '../spool/space.ts'

export interface DecodeToFileOptions {
  readonly decode: DecodeOptions
  /** Bytes that must stay free on the file's volume. */
  readonly reserveBytes: number
  readonly signal?: AbortSignal
  /** Called now and then with the bytes written so far. */
  readonly onProgress?: (plainBytes: number) => void
}

const WRITE_BYTES = 4 * 1024 * 1024
// Linux takes as much memory at once for a file as is written at once. Where a hypervisor takes free memory back, blocks of
// 128 KiB and more are what it took, and have to come again: four times the system time.
const PIECE_BYTES = 64 * 1024
const PROGRESS_BYTES = 16 * 1024 * 1024

/**
 * Unpacks a body into a new file that only its owner can read. Any broken promise throws and removes the file. It is
 * not fsynced: whoever gives it its place does that.
 * @throws BackupError `BODY_…`, `DECRYPTION_FAILED`, `SPOOL_NO_SPACE`, `RESTORE_TARGET_EXISTS`
 */
export async function decodeToFile(
  input: AsyncIterable<Uint8Array>,
  file: string,
  options: DecodeToFileOptions,
): Promise<DecodeResult> {
  const handle = await createFile(file)
  try {
    await assertSpace(file, options.decode.expect?.plain?.sizeBytes ?? 0, options.reserveBytes)
    const result = await writeAll(decodeBody(input, { ...options.decode, freeChunks: true }), handle, file, options)
    await handle.close()
    return result
  } catch (error) {
    await handle.close().catch(() => {}) // It may be closed already, and the first error is the one to tell.
    await unlink(file)
    throw spaceError(error, file)
  }
}

/** Writes some batches while the next is made: unpacking, hashing and writing keep two cores busy. */
async function writeAll(
  body: AsyncGenerator<Uint8Array, DecodeResult>,
  handle: FileHandle,
  file: string,
  { signal, onProgress, reserveBytes }: DecodeToFileOptions,
): Promise<DecodeResult> {
  let position = 0
  let reportedAt = 0
  let batch: Uint8Array[] = []
  let batchBytes = 0
  const writing: { readonly done: Promise<void>; readonly sizeBytes: number }[] = []
  let writingBytes = 0
  const flush = (): void => {
    const done = writeBatch(handle, batch, position)
    done.catch(() => {}) // Thrown where it is awaited; the body may fail first.
    writing.push({ done, sizeBytes: batchBytes })
    writingBytes += batchBytes
    position += batchBytes
    batch = []
    batchBytes = 0
  }
  const awaitOldest = async (): Promise<void> => {
    await writing[0]?.done
    writingBytes -= writing.shift()?.sizeBytes ?? 0
  }
  try {
    for (;;) {
      while (writing.length > 1 && writingBytes > heldChunkBytes) await awaitOldest()
      const next = await body.next()
      if (next.done === true) {
        flush()
        while (writing.length > 0) await awaitOldest()
        return next.value
      }
      signal?.throwIfAborted()
      batch.push(next.value)
      batchBytes += next.value.byteLength
      // A large chunk's memory does not wait for others.
      if (batchBytes >= WRITE_BYTES || next.value.byteLength >= freedChunkBytes) flush()
      if (position - reportedAt >= PROGRESS_BYTES) {
        reportedAt = position
        await assertSpace(file, 0, reserveBytes)
        onProgress?.(position)
      }
    }
  } finally {
    await Promise.allSettled([...writing.map(({ done }) => done), body.return({} as DecodeResult)])
  }
}

/** All of it, in small pieces, or it throws. Ends only when none of them is under way any more. */
async function writeBatch(handle: FileHandle, batch: readonly Uint8Array[], position: number): Promise<void> {
  const writes: Promise<void>[] = []
  let at = position
  for (const chunk of batch) {
    for (let from = 0; from < chunk.byteLength; from += PIECE_BYTES) {
      writes.push(writeFully(handle, chunk.subarray(from, from + PIECE_BYTES), at + from))
    }
    at += chunk.byteLength
  }
  for (const write of await Promise.allSettled(writes)) if (write.status === 'rejected') throw write.reason
}

/** pwrite(2) may take fewer bytes than it was given. */
async function writeFully(handle: FileHandle, piece: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < piece.byteLength; ) {
    done += (await handle.write(piece, done, piece.byteLength - done, position + done)).bytesWritten
  }
}

async function createFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new BackupError('RESTORE_TARGET_EXISTS', `${file} is there already.`, { cause: error })
    }
    throw spaceError(error, file)
  }
}

/** @throws BackupError `SPOOL_NO_SPACE` when writing `sizeBytes` more would leave less than the reserve. */
async function assertSpace(file: string, sizeBytes: number, reserveBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dirname(file))
  const freeBytes = bavail * bsize
  if (freeBytes - sizeBytes >= reserveBytes) return
  throw new BackupError(
    'SPOOL_NO_SPACE',
    `${dirname(file)} has ${formatSize(freeBytes)} free, ${formatSize(sizeBytes)} are needed, and ${formatSize(reserveBytes)} must stay free.`,
    { hint: 'Free some space, or restore to a folder on another volume with --output.' },
  )
}

function spaceError(error: unknown, file: string): unknown {
  const code = (error as NodeJS.ErrnoException).code
  if (isBackupError(error) || (code !== 'ENOSPC' && code !== 'EDQUOT')) return error
  return new BackupError('SPOOL_NO_SPACE', `The volume of ${dirname(file)} is full.`, {
    hint: 'Free some space, or restore to a folder on another volume with --output.',
    cause: error,
  })
}
