import { readSync, writeSync } from 'node:fs'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BackupError, messageOf } from '../errors.ts'
import { formatSize, spaceOf } from '../spool/space.ts'

/** A new file in the spool that grows to its end, or is removed. */
export interface SpoolFile {
  readonly sizeBytes: number
  append(chunk: Uint8Array): Promise<void>
  /** Anywhere up to its end. */
  write(chunk: Uint8Array, position: number): Promise<void>
  readAt(target: Buffer, position: number): Promise<void>
  /** For the moments in which a database is locked: blocks this process and does not look at the free space. */
  writeSync(chunk: Uint8Array, position: number): void
  readSync(target: Buffer, position: number): void
  close(): Promise<void>
  /** Closes and removes it. */
  discard(): Promise<void>
}

export interface SpoolFileOptions {
  /** Bytes that must stay free on the volume. */
  readonly reserveBytes: number
  /** Bytes it will at least take. */
  readonly expectedBytes: number
  /** Has no name once it is open: it goes with this process, however that ends. @default false */
  readonly isAnonymous?: boolean
}

// Between two looks at the free space; well below the smallest reserve.
const CHECK_EVERY_BYTES = 8 * 1024 * 1024

/** @throws BackupError `SPOOL_NO_SPACE`, `SPOOL_FAILED` */
export async function createSpoolFile(path: string, options: SpoolFileOptions): Promise<SpoolFile> {
  const { reserveBytes } = options
  await requireSpace(path, options.expectedBytes, reserveBytes)
  const file = await open(path, 'wx+', 0o600).catch((error: unknown) => {
    throw spoolError(error, path)
  })
  if (options.isAnonymous) await rm(path, { force: true })
  let sizeBytes = 0
  let checkedBytes = 0
  let isOpen = true

  const close = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    await file.close()
  }
  const write = async (chunk: Uint8Array, position: number): Promise<void> => {
    const end = position + chunk.length
    if (end - checkedBytes > CHECK_EVERY_BYTES) {
      await requireSpace(path, Math.max(0, end - sizeBytes), reserveBytes)
      checkedBytes = end
    }
    try {
      await writeFully(file, chunk, position)
    } catch (error) {
      throw spoolError(error, path)
    }
    sizeBytes = Math.max(sizeBytes, end)
  }
  return {
    get sizeBytes() {
      return sizeBytes
    },
    append: (chunk) => write(chunk, sizeBytes),
    write,
    async readAt(target, position) {
      for (let filled = 0; filled < target.length; ) {
        const { bytesRead } = await file.read(target, filled, target.length - filled, position + filled)
        if (bytesRead === 0) throw tooShort(path)
        filled += bytesRead
      }
    },
    writeSync(chunk, position) {
      try {
        for (let at = 0; at < chunk.length; ) at += writeSync(file.fd, chunk, at, chunk.length - at, position + at)
      } catch (error) {
        throw spoolError(error, path)
      }
      sizeBytes = Math.max(sizeBytes, position + chunk.length)
    },
    readSync(target, position) {
      for (let filled = 0; filled < target.length; ) {
        const count = readSync(file.fd, target, filled, target.length - filled, position + filled)
        if (count === 0) throw tooShort(path)
        filled += count
      }
    },
    close,
    async discard() {
      await close()
      await rm(path, { force: true })
    },
  }
}

async function writeFully(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    const { bytesWritten } = await file.write(chunk, at, chunk.length - at, position + at)
    at += bytesWritten
  }
}

/** @throws BackupError `SPOOL_NO_SPACE` when writing `bytes` would leave less than `reserveBytes` free. */
export async function requireSpace(path: string, bytes: number, reserveBytes: number): Promise<void> {
  const { freeBytes } = await spaceOf(dirname(path)).catch((error: unknown) => {
    throw spoolError(error, path)
  })
  if (freeBytes - bytes >= reserveBytes) return
  throw new BackupError(
    'SPOOL_NO_SPACE',
    `The volume of ${dirname(path)} has ${formatSize(freeBytes)} free, and ${formatSize(reserveBytes)} have to stay free for the app.`,
    { hint: 'Free some space, or put the spool on another volume. The app and its database were not touched.' },
  )
}

function tooShort(path: string): BackupError {
  return new BackupError('SPOOL_FAILED', `${path} is shorter than what was written to it.`)
}

function spoolError(error: unknown, path: string): BackupError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new BackupError('SPOOL_NO_SPACE', `The volume of ${dirname(path)} is full.`, {
      hint: 'Free some space, or put the spool on another volume.',
      cause: error,
    })
  }
  return new BackupError('SPOOL_FAILED', `${path} cannot be written: ${messageOf(error)}`, { cause: error })
}
