import type { FileHandle } from 'node:fs/promises'
import { BackupError } from '../errors.ts'
import type { ByteRange } from './storage.ts'

// Large: every read is a trip through the thread pool.
const READ_CHUNK_BYTES = 1024 * 1024

/** The bytes of a range that lies within the file, which is closed at the end, however it ends. */
export async function* readChunks(
  file: FileHandle,
  { start, end }: Required<ByteRange>,
  toStorageError: (error: unknown) => BackupError,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (let at = start; at < end; ) {
      const buffer = Buffer.allocUnsafe(Math.min(READ_CHUNK_BYTES, end - at))
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0)
        throw new BackupError('OBJECT_CHANGED', `The file became shorter while it was read: it ended at byte ${at}.`)
      at += bytesRead
      yield buffer.subarray(0, bytesRead)
    }
  } catch (error) {
    throw toStorageError(error)
  } finally {
    await file.close()
  }
}
