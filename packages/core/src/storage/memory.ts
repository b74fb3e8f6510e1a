import { randomBytes } from 'node:crypto'
import { BackupError } from '../errors.ts'
import { throwIfAborted, untilAborted } from './abort.ts'
import { exactLength } from './exact-length.ts'
import { assertKey, compareKeys } from './key.ts'
import { listKeys } from './list-keys.ts'
import type { ByteRange, ObjectFacts, Storage } from './storage.ts'

export interface MemoryOptions {
  /** @default 'memory' */
  readonly name?: string
  /** Its clock. @default the machine's */
  readonly now?: () => Date
}

interface StoredObject extends ObjectFacts {
  readonly bytes: Uint8Array
  readonly etag: string
  readonly modified: Date
}

// Small enough that a reader sees several chunks, as with every other storage.
const CHUNK_BYTES = 256 * 1024

/**
 * A storage in this process's memory, gone with it: for tests and for trying things out.
 *
 * @example
 * const storage = memory()
 * await storage.put('app/hello.txt', bytesBody(Buffer.from('hello')))
 */
export function memory({ name = 'memory', now = () => new Date() }: MemoryOptions = {}): Storage {
  const objects = new Map<string, StoredObject>()
  let sortedKeys: readonly string[] | undefined

  const find = (key: string, ifMatch?: string): StoredObject => {
    assertKey(key)
    const object = objects.get(key)
    if (object === undefined) throw new BackupError('OBJECT_MISSING', `${name} has no object ${key}.`)
    if (ifMatch !== undefined && ifMatch !== object.etag) {
      throw new BackupError('OBJECT_CHANGED', `${key} in ${name} is not the object it was.`)
    }
    return object
  }

  return {
    name,
    kind: 'memory',

    async put(key, body, { signal, ifAbsent = false, metadata = {}, onProgress } = {}) {
      assertKey(key)
      throwIfAborted(signal)
      const chunks: Uint8Array[] = []
      let sentBytes = 0
      for await (const chunk of untilAborted(exactLength(body.stream(), body.size), signal)) {
        chunks.push(chunk)
        sentBytes += chunk.byteLength
        onProgress?.(sentBytes)
      }
      throwIfAborted(signal)
      if (ifAbsent && objects.has(key)) {
        throw new BackupError('OBJECT_EXISTS', `${name} already has an object ${key}.`)
      }
      const etag = randomBytes(8).toString('hex')
      const bytes = Buffer.concat(chunks)
      objects.set(key, { bytes, sizeBytes: bytes.length, etag, modified: now(), metadata: { ...metadata } })
      sortedKeys = undefined
      return { sizeBytes: bytes.length, etag }
    },

    async get(key, { signal, range = {}, ifMatch } = {}) {
      throwIfAborted(signal)
      const object = find(key, ifMatch)
      return { ...factsOf(object), stream: untilAborted(chunksOf(object.bytes, range), signal) }
    },

    async head(key, { signal } = {}) {
      throwIfAborted(signal)
      return factsOf(find(key))
    },

    async list(options = {}) {
      throwIfAborted(options.signal)
      sortedKeys ??= [...objects.keys()].sort(compareKeys)
      const { keys, ...page } = listKeys(sortedKeys, options)
      return {
        ...page,
        objects: keys.map((key) => {
          const { sizeBytes, etag, modified } = find(key)
          return { key, sizeBytes, etag, modified }
        }),
      }
    },

    async delete(keys, { signal } = {}) {
      throwIfAborted(signal)
      for (const key of keys) assertKey(key)
      for (const key of keys) objects.delete(key)
      sortedKeys = undefined
    },

    async fencing({ signal } = {}) {
      throwIfAborted(signal)
      return 'conditional-put'
    },
  }
}

function factsOf({ sizeBytes, etag, modified, metadata }: StoredObject): ObjectFacts {
  return { sizeBytes, etag, modified, metadata }
}

async function* chunksOf(
  bytes: Uint8Array,
  { start = 0, end = bytes.byteLength }: ByteRange,
): AsyncGenerator<Uint8Array> {
  const limit = Math.min(end, bytes.byteLength)
  for (let at = start; at < limit; at += CHUNK_BYTES) yield bytes.slice(at, Math.min(at + CHUNK_BYTES, limit))
}
