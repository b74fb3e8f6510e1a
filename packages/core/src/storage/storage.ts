import { BackupError } from '../errors.ts'

/**
 * The storage seam: keys and bytes, nothing of SQLite. An adapter implements these few calls and passes the suite of
 * `@sqlite-backup/core/testing`; retry, prefixes and limits are decorators written once.
 *
 * Keys are `/`-separated, relative, without `.`/`..`/empty segments and control characters, at most 900 bytes of UTF-8
 * and 255 per segment: `assertKey` checks it.
 * Adapters throw `BackupError` only: `UNAVAILABLE` when trying again may help (and nothing else is retried),
 * `STORAGE_DENIED`, `STORAGE_MISSING` (bucket or folder), `STORAGE_FULL`, `STORAGE_UNSUPPORTED`, `OBJECT_MISSING`,
 * `OBJECT_EXISTS`, `OBJECT_CHANGED`, `KEY_INVALID`, `STORAGE_FAILED`, and `ABORTED` when the caller's signal fired.
 * What a body throws while it is read comes out of `put` unchanged.
 */
export interface Storage {
  /** For people and logs, like `s3 acme-backups/app`. Never credentials. */
  readonly name: string
  /** Which adapter, like `filesystem` or `s3`. */
  readonly kind: string
  /** The folder on this machine the objects lie in, if they do. */
  readonly localDir?: string
  /**
   * Stores the whole body under `key`, or nothing. Replaces what was there, unless `ifAbsent`.
   * @throws BackupError `BODY_TRUNCATED` when the body ends before the size it said.
   */
  put(key: string, body: Body, options?: PutOptions): Promise<PutResult>
  /**
   * Opens an object for reading; the stream ends after exactly the asked range or throws.
   * It holds a socket or a file until it is read to its end, left with `break`, or aborted.
   */
  get(key: string, options?: GetOptions): Promise<GetResult>
  /** What `get` would say, without the bytes. */
  head(key: string, options?: CallOptions): Promise<ObjectFacts>
  /** One page of keys, ascending by their UTF-8 bytes. */
  list(options?: ListOptions): Promise<ListPage>
  /** Deletes all of them; a missing one is no error. */
  delete(keys: readonly string[], options?: CallOptions): Promise<void>
  /** Whether `put` with `ifAbsent` keeps two writers apart. Probed on first use, never assumed. */
  fencing(options?: CallOptions): Promise<'conditional-put' | 'none'>
  /**
   * Loads what the first call would load, so that it does not hold up an app that runs by then. No network. An engine
   * that need not save memory calls it when it is opened; what is wrong here, the first call says.
   */
  prepare?(): Promise<void>
  /** Frees sockets and timers. */
  close?(): Promise<void>
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** Bytes to store. Re-readable: every `stream()` call starts anew, so a retry is possible anywhere. */
export interface Body {
  /** Bytes in all. A promise while the body still grows: reads beyond what exists wait. */
  readonly size: number | Promise<number>
  /** An upper bound of `size`, when that is known earlier. */
  readonly maxSizeBytes?: number
  /** SHA-256 made by another process, piece by piece, so that nobody hashes on the app's event loop. */
  readonly pieces?: BodyPieces
  /** Bytes `start` (inclusive, default 0) to `end` (exclusive, default the end). A chunk given away is not changed. */
  stream(range?: ByteRange): AsyncIterable<Uint8Array>
}

export interface BodyPieces {
  /** Piece i covers bytes i*sizeBytes up to (i+1)*sizeBytes; the last may be shorter. */
  readonly sizeBytes: number
  /** SHA-256 of piece `index`, once it is complete. */
  sha256(index: number): Promise<Uint8Array>
}

export interface ByteRange {
  readonly start?: number
  /** Exclusive. */
  readonly end?: number
}

export interface PutOptions extends CallOptions {
  /** Fail with `OBJECT_EXISTS` instead of replacing. With `fencing` `none`, two racing writers may both succeed. */
  readonly ifAbsent?: boolean
  /** Small ASCII values (< 256 bytes each), lower-case names. */
  readonly metadata?: Readonly<Record<string, string>>
  readonly contentType?: string
  /** Called with the bytes sent so far; may step back when a part is sent again. */
  readonly onProgress?: (sentBytes: number) => void
}

export interface PutResult {
  readonly sizeBytes: number
  readonly etag?: string
  /** Encryption at rest as the store says it is, when it was asked for: read back, not assumed. */
  readonly encryption?: string
}

export interface GetOptions extends CallOptions {
  /** Cut to what the object has: a range behind its end is an empty stream, not an error. */
  readonly range?: ByteRange
  /** Fail with `OBJECT_CHANGED` unless the object still has this etag. */
  readonly ifMatch?: string
}

export interface ObjectFacts {
  /** Bytes of the whole object, not of the range. */
  readonly sizeBytes: number
  readonly etag?: string
  readonly modified?: Date
  readonly metadata: Readonly<Record<string, string>>
  readonly encryption?: string
}

export interface GetResult extends ObjectFacts {
  readonly stream: AsyncIterable<Uint8Array>
}

/** Where another process gets the bytes of a body from: what this one hands it, or a file on this machine. */
export type BodySource = AsyncIterable<Uint8Array> | { readonly file: string }

export interface ListOptions extends CallOptions {
  /** Only keys that start with this. @default '' */
  readonly prefix?: string
  /** Only keys, and folded prefixes, that sort after this text. */
  readonly after?: string
  /** Fold keys that have this character behind the prefix into `prefixes`. */
  readonly delimiter?: '/'
  /** At most this many objects and prefixes on the page (the store may give fewer). @default 1000 */
  readonly limit?: number
  /** `cursor` of the page before. All other options must be the same. */
  readonly cursor?: string
}

export interface ListedObject {
  readonly key: string
  readonly sizeBytes: number
  readonly modified?: Date
  readonly etag?: string
}

export interface ListPage {
  readonly objects: readonly ListedObject[]
  /** Folded prefixes, each ending in the delimiter. */
  readonly prefixes: readonly string[]
  /** There is more: pass it to the next call. */
  readonly cursor?: string
}

/** A body of bytes already in memory: for manifests, markers and tests. */
export function bytesBody(bytes: Uint8Array): Body {
  return {
    size: bytes.byteLength,
    async *stream({ start = 0, end = bytes.byteLength } = {}) {
      if (end > start) yield bytes.subarray(start, end)
    },
  }
}

/** All objects under a prefix, page after page, in ascending order. */
export async function* listAll(
  storage: Storage,
  options: Omit<ListOptions, 'cursor'> = {},
): AsyncIterable<ListedObject> {
  let cursor: string | undefined
  do {
    const page: ListPage = await storage.list(cursor === undefined ? options : { ...options, cursor })
    yield* page.objects
    cursor = page.cursor
  } while (cursor !== undefined)
}

/** A whole small object. @throws BackupError `STORAGE_FAILED` when it is larger than `maxBytes`. */
export async function readObject(
  storage: Storage,
  key: string,
  options: CallOptions & { readonly maxBytes?: number } = {},
): Promise<Uint8Array> {
  const { maxBytes = 4 * 1024 * 1024, ...call } = options
  const result = await storage.get(key, call)
  if (result.sizeBytes > maxBytes) {
    // A stream nobody reads would keep its socket.
    await result.stream[Symbol.asyncIterator]().return?.()
    throw new BackupError(
      'STORAGE_FAILED',
      `${key} has ${result.sizeBytes} bytes, more than the ${maxBytes} expected of it.`,
    )
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of result.stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
