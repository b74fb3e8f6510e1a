import { isBackupError } from '../errors.ts'
import { localFilesOf } from './local-file.ts'
import { checkSize, type ReadInRangesOptions, readInRanges } from './read-in-ranges.ts'
import type { BodySource, Storage } from './storage.ts'

/**
 * Hands a large object to `read`, which has to check what it gets: as a file where it is one on this machine, which
 * another process then reads without help of this one, else as a stream.
 * @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG`, and what `read` and the storage throw
 */
export async function readBody<T>(
  storage: Storage,
  key: string,
  options: ReadInRangesOptions,
  read: (body: BodySource) => Promise<T>,
): Promise<T> {
  const file = localFilesOf(storage)?.(key)
  if (file !== undefined) {
    const { sizeBytes } = await storage.head(key, { signal: options.signal })
    checkSize(key, sizeBytes, options.sizeBytes)
    try {
      return await read({ file })
    } catch (error) {
      // A network mount may come back: reading through the storage tries again, and says in its words what is wrong.
      if (!isBackupError(error, 'UNAVAILABLE')) throw error
    }
  }
  return read(readInRanges(storage, key, options))
}
