import { randomBytes } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { type FileHandle, link, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { disposeChunk } from '../storage/spent-chunk.ts'

export interface WriteOptions {
  /** Permission bits of a new file, before the umask. @default 0o600 */
  readonly mode?: number
  /** Looked at between chunks; throws its reason. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((writtenBytes: number) => void) | undefined
}

export interface WriteDurablyOptions extends WriteOptions {
  /** Fail with `EEXIST` instead of replacing. */
  readonly ifAbsent?: boolean
  /** Looks at the finished file, which is not yet in its place; throwing keeps it out. */
  readonly check?: (tempFile: string) => Promise<void>
}

type Content = string | Uint8Array | AsyncIterable<Uint8Array>

/**
 * Writes a file so that after a crash it is there whole, as it was before, or not at all.
 * The rule: write under another name, fsync, rename, fsync the folder.
 *
 * @throws whatever the file system, the content, the check or the signal throws; nothing is left behind then
 */
export async function writeDurably(path: string, content: Content, options: WriteDurablyOptions = {}): Promise<void> {
  const temp = tempNameFor(path)
  try {
    await writeSynced(temp, content, options)
    await options.check?.(temp)
    if (options.ifAbsent) await moveIfAbsent(temp, path)
    else await renameDurably(temp, path)
  } finally {
    await rm(temp, { force: true })
  }
}

/** A name beside `path` that nobody else uses and no listing mistakes for the file itself. */
export function tempNameFor(path: string): string {
  // Cut, because a name has at most 255 bytes.
  return join(dirname(path), `.${basename(path).slice(0, 40)}.${randomBytes(6).toString('hex')}.tmp`)
}

/** Whether `name` is one that {@link tempNameFor} gives beside `path`. */
export function isTempNameFor(path: string, name: string): boolean {
  const start = `.${basename(path).slice(0, 40)}.`
  return name.startsWith(start) && /^[0-9a-f]{12}\.tmp$/.test(name.slice(start.length))
}

/** Makes a new file with this content and waits until it is on the disk; removed again when that fails. */
export async function writeSynced(path: string, content: Content, options: WriteOptions = {}): Promise<BigIntStats> {
  const { mode = 0o600 } = options
  const file = await open(path, 'wx', mode)
  try {
    await writeAll(file, chunksOf(content), options)
    options.signal?.throwIfAborted()
    await file.sync()
    return await file.stat({ bigint: true })
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}

function chunksOf(content: Content): Iterable<Uint8Array> | AsyncIterable<Uint8Array> {
  if (typeof content === 'string') return [Buffer.from(content)]
  return content instanceof Uint8Array ? [content] : content
}

const BATCH_BYTES = 1024 * 1024
const FLUSH_BYTES = 8 * 1024 * 1024

/** Writes one batch while the next one is gathered, and flushes on the way. */
async function writeAll(
  file: FileHandle,
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  { signal, onProgress }: WriteOptions,
): Promise<void> {
  let batch: Uint8Array[] = []
  let batchBytes = 0
  let writtenBytes = 0
  let unflushedBytes = 0
  let writing = Promise.resolve()
  let flushing = Promise.resolve()

  const writeBatch = async (): Promise<void> => {
    await writing
    writing = writeFully(file, batch)
    writing.catch(() => {}) // Thrown by whoever awaits it next.
    writtenBytes += batchBytes
    unflushedBytes += batchBytes
    batch = []
    batchBytes = 0
    if (unflushedBytes < FLUSH_BYTES) return
    unflushedBytes = 0
    // The app's own commits on this volume wait behind what is flushed: little at a time, never all at the end.
    await flushing
    flushing = writing.then(() => file.datasync())
    flushing.catch(() => {}) // Likewise.
  }

  try {
    for await (const chunk of chunks) {
      signal?.throwIfAborted()
      batch.push(chunk)
      batchBytes += chunk.byteLength
      if (batchBytes < BATCH_BYTES) continue
      await writeBatch()
      onProgress?.(writtenBytes)
    }
    if (batch.length > 0) await writeBatch()
  } finally {
    // The file must not be closed under them.
    await Promise.allSettled([writing, flushing])
  }
  await writing
  await flushing
  onProgress?.(writtenBytes)
}

async function writeFully(file: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.byteLength > 0)
  while (rest.length > 0) {
    // writev(2) may take less than it was given, and at most 1024 pieces.
    let { bytesWritten } = await file.writev(rest.slice(0, 1024))
    rest = rest.flatMap((chunk) => {
      const taken = Math.min(bytesWritten, chunk.byteLength)
      bytesWritten -= taken
      return taken === chunk.byteLength ? [] : [chunk.subarray(taken)]
    })
  }
  for (const chunk of chunks) disposeChunk(chunk)
}

/** `rename` that survives a power cut. Replaces what is there. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to)
  await fsyncDir(dirname(to))
  if (dirname(from) !== dirname(to)) await fsyncDir(dirname(from))
}

/** Gives the file a second name. @throws `EEXIST` when the name is taken: of many, one succeeds. */
export async function linkDurably(from: string, to: string): Promise<void> {
  await link(from, to)
  await fsyncDir(dirname(to))
}

/**
 * Gives a finished file a name that must be free, and may leave the old name as a second one. On a volume without hard
 * links the name is claimed by an empty file first; a crash right then leaves that one.
 * @throws `EEXIST` when the name is taken: of many, one succeeds
 */
export async function moveIfAbsent(from: string, to: string): Promise<void> {
  try {
    await linkDurably(from, to)
  } catch (error) {
    if (!isWithoutLinks(error)) throw error
    const claim = await open(to, 'wx', 0o600)
    await claim.close()
    await renameDurably(from, to)
  }
}

/** Whether `link` failed for want of hard links: vfat, some network and FUSE file systems. `man 2 link` */
export function isWithoutLinks(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return code === 'EPERM' || code === 'ENOTSUP' || code === 'EOPNOTSUPP' || code === 'ENOSYS'
}

/**
 * `mkdir -p` that survives a power cut. Not Node's own, which never returns where the file system answers ENOENT below a
 * folder that is there, as /proc does: it makes the parent, is told that it exists, and tries the same again.
 *
 * @throws what the file system answers; `EEXIST` when something else has the name
 */
export async function makeDirDurably(dir: string, mode = 0o700): Promise<void> {
  const missing: string[] = []
  // Ends at the latest with the root, which is a folder.
  for (let at = resolve(dir); !(await isFolder(at)); at = dirname(at)) missing.push(at)
  for (const folder of missing.reverse()) {
    try {
      await mkdir(folder, { mode })
    } catch (error) {
      const isThereNow =
        error instanceof Error && 'code' in error && error.code === 'EEXIST' && (await isFolder(folder))
      if (!isThereNow) throw error
    }
    await fsyncDir(dirname(folder))
  }
}

/** False when nothing is there, too. */
export async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return false
    throw error
  }
}

/** Waits until the content of a file is on the disk, whoever wrote it. Never for a live database: it opens and closes it. */
export async function fsyncFile(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** A new name is on the disk only when its folder is: `man 2 fsync`. */
export async function fsyncDir(dir: string): Promise<void> {
  const handle = await open(dir, 'r')
  try {
    await handle.sync()
  } catch (error) {
    // Some network and FUSE file systems cannot sync a folder and do not need it.
    if (!(error instanceof Error && 'code' in error && (error.code === 'EINVAL' || error.code === 'ENOTSUP')))
      throw error
  } finally {
    await handle.close()
  }
}
