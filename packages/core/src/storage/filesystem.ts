import type { BigIntStats } from 'node:fs'
import { open, readdir, rm, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { BackupError } from '../errors.ts'
import { fsyncDir, linkDurably, makeDirDurably, tempNameFor, writeSynced } from '../spool/durable.ts'
import { formatSize, reserveOf, spaceOf } from '../spool/space.ts'
import { abortedError, throwIfAborted, untilAborted } from './abort.ts'
import { type Clock, systemClock } from './clock.ts'
import { exactLength } from './exact-length.ts'
import { errnoOf, filesystemError, isMissing } from './filesystem-error.ts'
import { assertKey, assertPrefix } from './key.ts'
import { keepsFiles } from './local-file.ts'
import { publishFile } from './publish-file.ts'
import { readChunks } from './read-chunks.ts'
import { removeEmptyFolders } from './remove-empty-folders.ts'
import { sidecars } from './sidecar.ts'
import type { Body, ListedObject, ObjectFacts, PutOptions, PutResult, Storage } from './storage.ts'
import { walkPages } from './walk-pages.ts'

export interface FilesystemOptions {
  /** The folder the objects lie in, as plain files. */
  readonly dir: string
  /**
   * Never make `dir`; without it every call fails with `STORAGE_MISSING`. For a folder on a mounted volume: a volume
   * that is not mounted would otherwise look like an empty storage, and be written to the disk below it.
   * @default false
   */
  readonly mustExist?: boolean
  /** What stays free on the volume. @default the larger of 64 MiB and 5 % of it */
  readonly reserveBytes?: number
  /** Permission bits of the files; folders get the matching search bits. @default 0o600 */
  readonly fileMode?: number
  readonly clock?: Clock
}

/** Our own folder among the objects: files being written, and metadata. */
const OWN = '.sqlite-backup'
// `lost+found` is on every ext volume and only root may open it.
const HIDDEN: ReadonlySet<string> = new Set([OWN, 'lost+found'])

const SPACE_CHECK_BYTES = 64 * 1024 * 1024
const STALE_MS = 24 * 3600 * 1000
const STATS_AT_ONCE = 64

/**
 * A storage in a folder: every object is a plain file under its key.
 *
 * @example
 * const storage = filesystem({ dir: '/mnt/backups/app', mustExist: true })
 */
export function filesystem(options: FilesystemOptions): Storage {
  const { mustExist = false, reserveBytes, fileMode = 0o600, clock = systemClock } = options
  const dir = resolve(options.dir)
  const name = `filesystem ${dir}`
  const folderMode = fileMode | ((fileMode & 0o444) >> 2)
  const tempDir = join(dir, OWN, 'temp')
  const metadata = sidecars(join(dir, OWN, 'metadata'), { file: fileMode, folder: folderMode })
  const pages = walkPages(dir, clock)
  let prepared: Promise<void> | undefined
  let fencing: Promise<'conditional-put' | 'none'> | undefined

  const pathOf = (key: string): string => {
    assertKey(key)
    if (HIDDEN.has(key.split('/', 1)[0] ?? '')) {
      throw new BackupError('KEY_INVALID', `${key} lies in a folder that ${name} keeps for itself.`)
    }
    return join(dir, key)
  }

  /** Runs one call and puts what the file system throws into the seam's words. */
  async function call<T>(doing: string, signal: AbortSignal | undefined, run: () => Promise<T>): Promise<T> {
    throwIfAborted(signal)
    try {
      await assertDir()
      return await run()
    } catch (error) {
      throw signal?.aborted ? abortedError(signal) : filesystemError(error, doing, dir)
    }
  }

  /** A folder that is not there yet is empty. A file in its place is a mistake, and must not look like "no backups". */
  async function assertDir(): Promise<void> {
    let inTheWay = false
    try {
      if ((await stat(dir)).isDirectory()) return
      inTheWay = true
    } catch (error) {
      if (!isMissing(error)) throw error
      inTheWay = errnoOf(error) === 'ENOTDIR'
    }
    if (inTheWay) {
      throw new BackupError('STORAGE_MISSING', `${dir} is no folder: it, or one above it, is a file.`, {
        hint: 'Name a folder.',
      })
    }
    if (mustExist)
      throw new BackupError('STORAGE_MISSING', `There is no folder ${dir}.`, { hint: 'Is the volume mounted?' })
  }

  /** Before the first write: our folders, and files of writers that died more than a day ago. */
  async function prepare(): Promise<void> {
    await makeDirDurably(tempDir, folderMode)
    for (const entry of await readdir(tempDir)) {
      const file = join(tempDir, entry)
      const facts = await statOf(file)
      if (facts !== undefined && Number(facts.mtimeMs) < clock.now() - STALE_MS) await rm(file, { force: true })
    }
  }

  async function prepareOnce(): Promise<void> {
    prepared ??= prepare()
    try {
      await prepared
    } catch (error) {
      prepared = undefined
      throw error
    }
  }

  async function assertSpace(neededBytes: number): Promise<void> {
    const space = await spaceOf(tempDir)
    const reserve = reserveBytes ?? reserveOf(space)
    if (space.freeBytes - neededBytes >= reserve) return
    throw new BackupError(
      'STORAGE_FULL',
      `${dir} has ${formatSize(space.freeBytes)} free${neededBytes === 0 ? '' : `, ${formatSize(neededBytes)} are needed`}, and ${formatSize(reserve)} have to stay free.`,
      { hint: 'Make room on the volume, or let retention delete sooner.' },
    )
  }

  async function* spaceChecked(stream: AsyncIterable<Uint8Array>, size: number | Promise<number>) {
    await assertSpace(typeof size === 'number' ? size : 0)
    let sinceCheckBytes = 0
    for await (const chunk of stream) {
      sinceCheckBytes += chunk.byteLength
      if (sinceCheckBytes >= SPACE_CHECK_BYTES) {
        await assertSpace(sinceCheckBytes)
        sinceCheckBytes = 0
      }
      yield chunk
    }
  }

  /** Not every volume has hard links. */
  async function probeFencing(): Promise<'conditional-put' | 'none'> {
    await prepareOnce()
    const file = tempNameFor(join(tempDir, 'probe'))
    const second = `${file}.link`
    try {
      await writeSynced(file, Buffer.alloc(0))
      await linkDurably(file, second)
      return 'conditional-put'
    } catch (error) {
      if (['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK', 'EOPNOTSUPP'].includes(errnoOf(error) ?? '')) return 'none'
      throw error
    } finally {
      await rm(second, { force: true })
      await rm(file, { force: true })
    }
  }

  async function fencingOnce(): Promise<'conditional-put' | 'none'> {
    fencing ??= probeFencing()
    try {
      return await fencing
    } catch (error) {
      fencing = undefined
      throw error
    }
  }

  async function factsOf(key: string, stats: BigIntStats): Promise<ObjectFacts & { readonly etag: string }> {
    const etag = etagOf(stats)
    return { sizeBytes: Number(stats.size), etag, modified: stats.mtime, metadata: await metadata.read(key, etag) }
  }

  function missing(key: string, cause?: unknown): BackupError {
    return new BackupError('OBJECT_MISSING', `${name} has no object ${key}.`, { cause })
  }

  async function putFile(key: string, path: string, body: Body, options: PutOptions): Promise<PutResult> {
    const { signal, onProgress, ifAbsent = false } = options
    const temp = tempNameFor(join(tempDir, 'put'))
    const stream = untilAborted(exactLength(body.stream(), body.size), signal)
    try {
      const stats = await writeSynced(temp, spaceChecked(stream, body.size), { mode: fileMode, onProgress, signal })
      const etag = etagOf(stats)
      const hasMetadata = Object.keys(options.metadata ?? {}).length > 0
      if (hasMetadata) await metadata.write(key, etag, options.metadata ?? {})
      const replaced = await statOf(path)
      try {
        const canLink = ifAbsent && (await fencingOnce()) === 'conditional-put'
        await publishFile(temp, path, { key, folderMode, ifAbsent, canLink })
      } catch (error) {
        if (hasMetadata) await metadata.remove(key, etag)
        throw error
      }
      if (replaced?.isFile()) await metadata.remove(key, etagOf(replaced))
      return { sizeBytes: Number(stats.size), etag }
    } finally {
      await rm(temp, { force: true })
    }
  }

  const storage: Storage = {
    name,
    kind: 'filesystem',
    localDir: dir,

    async put(key, body, options = {}) {
      const path = pathOf(key)
      const marked = markErrors(body)
      try {
        return await call(`store ${key}`, options.signal, async () => {
          await prepareOnce()
          return putFile(key, path, marked.body, options)
        })
      } catch (error) {
        throw options.signal?.aborted ? error : (marked.thrown() ?? error)
      }
    },

    async get(key, { signal, range = {}, ifMatch } = {}) {
      const path = pathOf(key)
      return call(`read ${key}`, signal, async () => {
        const file = await open(path, 'r').catch((error: unknown) => {
          throw isMissing(error) ? missing(key, error) : error
        })
        try {
          const stats = await file.stat({ bigint: true })
          if (!stats.isFile()) throw missing(key)
          const facts = await factsOf(key, stats)
          if (ifMatch !== undefined && ifMatch !== facts.etag) {
            throw new BackupError('OBJECT_CHANGED', `${key} in ${name} is not the object it was.`)
          }
          const end = Math.min(range.end ?? facts.sizeBytes, facts.sizeBytes)
          const chunks = readChunks(file, { start: range.start ?? 0, end }, (error) =>
            filesystemError(error, `read ${key}`, dir),
          )
          return { ...facts, stream: untilAborted(chunks, signal) }
        } catch (error) {
          await file.close()
          throw error
        }
      })
    },

    async head(key, { signal } = {}) {
      const path = pathOf(key)
      return call(`look at ${key}`, signal, async () => {
        const stats = await statOf(path)
        if (!stats?.isFile()) throw missing(key)
        return factsOf(key, stats)
      })
    },

    async list(options = {}) {
      const { prefix = '', limit = 1000, signal } = options
      assertPrefix(prefix)
      return call('list', signal, async () => {
        const { lines, cursor } = await pages.next({ ...options, hidden: HIDDEN }, limit)
        const objects: ListedObject[] = []
        const keys = lines.filter((line) => !line.endsWith('/'))
        for (let at = 0; at < keys.length; at += STATS_AT_ONCE) {
          for (const object of await Promise.all(keys.slice(at, at + STATS_AT_ONCE).map(listed))) {
            if (object !== undefined) objects.push(object)
          }
        }
        const prefixes = lines.filter((line) => line.endsWith('/'))
        return { objects, prefixes, ...(cursor === undefined ? {} : { cursor }) }
      })
    },

    async delete(keys, { signal } = {}) {
      const paths = keys.map((key) => [key, pathOf(key)] as const)
      return call('delete', signal, async () => {
        const folders = new Set<string>()
        for (const [key, path] of paths) {
          throwIfAborted(signal)
          if (!(await unlinkFile(path))) continue
          await metadata.remove(key)
          folders.add(dirname(key))
        }
        for (const folder of folders) {
          await fsyncDir(join(dir, folder)).catch(unlessMissing)
          await removeEmptyFolders(dir, folder)
        }
      })
    },

    async fencing({ signal } = {}) {
      return call('write', signal, fencingOnce)
    },
  }
  return keepsFiles(storage, pathOf)

  async function listed(key: string): Promise<ListedObject | undefined> {
    const stats = await statOf(join(dir, key))
    if (stats === undefined) return undefined
    return { key, sizeBytes: Number(stats.size), modified: stats.mtime, etag: etagOf(stats) }
  }
}

/** The inode too: the clock of a file system ticks only every few milliseconds. */
function etagOf({ ino, mtimeNs, size }: BigIntStats): string {
  return `${ino}-${mtimeNs}-${size}`
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await stat(path, { bigint: true })
  } catch (error) {
    return unlessMissing(error)
  }
}

/** False when there was no such file. */
async function unlinkFile(path: string): Promise<boolean> {
  try {
    await unlink(path)
    return true
  } catch (error) {
    if (isMissing(error)) return false
    // Linux says EISDIR for a folder, macOS EPERM; a folder is no object.
    if ((await statOf(path))?.isDirectory()) return false
    throw error
  }
}

function unlessMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error
}

/** Remembers what the body itself threw, which is none of the storage's errors. */
function markErrors(body: Body): { readonly body: Body; thrown(): unknown } {
  let thrown: unknown
  return {
    thrown: () => thrown,
    body: {
      ...body,
      async *stream(range) {
        try {
          yield* body.stream(range)
        } catch (error) {
          thrown = error
          throw error
        }
      },
    },
  }
}
