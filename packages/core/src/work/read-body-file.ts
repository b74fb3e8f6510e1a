import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { filesystemError } from '../storage/filesystem-error.ts'
import { readChunks } from '../storage/read-chunks.ts'

/** The bytes of a body that lies on this machine. @throws BackupError what the filesystem storage throws */
export async function* readBodyFile(path: string): AsyncGenerator<Uint8Array, void, void> {
  const toStorageError = (error: unknown) => filesystemError(error, 'read a body', dirname(path))
  const file = await open(path, 'r').catch((error: unknown) => {
    throw toStorageError(error)
  })
  const { size } = await file.stat()
  yield* readChunks(file, { start: 0, end: size }, toStorageError)
}
