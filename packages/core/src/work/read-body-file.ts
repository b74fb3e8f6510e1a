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
  yield* readAhead(readChunks(file, { start: 0, end: size }, toStorageError))
}

/** Reads the next chunk while one is used: what unpacks frames would be idle until both are done, one after the other. */
async function* readAhead(chunks: AsyncGenerator<Uint8Array, void, void>): AsyncGenerator<Uint8Array, void, void> {
  try {
    for (let next = chunks.next(); ; ) {
      const { done, value } = await next
      if (done) return
      next = chunks.next()
      next.catch(() => {}) // Thrown when its turn comes.
      yield value
    }
  } finally {
    await chunks.return()
  }
}
