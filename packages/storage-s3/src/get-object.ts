import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { BackupError, type ByteRange, type GetOptions, type GetResult, isBackupError } from '@sqlite-backup/core'
import { headObject } from './head-object.ts'
import { fullKey, objectFacts, plainEtag, type S3Context, sha256Metadata } from './s3-context.ts'
import { mib } from './s3-options.ts'
import { ownChunk } from './socket-chunks.ts'

/** Objects up to this size are compared with their digest before a byte of them is given out. */
const checkedBytes = mib
/** A stream nobody reads keeps its connection this long. */
const unreadMs = 60_000

/** Opens an object for reading. Its first bytes may be on their way before the stream is read. */
export async function getObject(
  context: S3Context,
  etags: EtagForm,
  key: string,
  { range = {}, ifMatch, signal }: GetOptions = {},
): Promise<GetResult> {
  const Key = fullKey(context, key)
  const { start = 0, end = Number.POSITIVE_INFINITY } = range
  if (end <= start) return emptyAnswer(context, key, ifMatch, signal)
  const Range = rangeHeader({ start, end })
  const facts = { operation: 'get', key, signal, onPrecondition: 'OBJECT_CHANGED' } as const

  const fetch = (IfMatch: string | undefined) =>
    context.connection.call(facts, async ({ client, sdk, http }) =>
      client.send(
        new sdk.GetObjectCommand({
          Bucket: context.settings.bucket,
          Key,
          ...(Range !== undefined && { Range }),
          ...(IfMatch !== undefined && { IfMatch }),
        }),
        http,
      ),
    )

  let output: GetObjectCommandOutput
  try {
    output = ifMatch === undefined ? await fetch(undefined) : await etags.tryBoth(ifMatch, fetch)
  } catch (error) {
    // Nothing of the object lies in the range, which is no reason to fail.
    if (isRangeError(error)) return emptyAnswer(context, key, ifMatch, signal)
    throw error
  }
  const body = output.Body as Readable
  if (ifMatch !== undefined && plainEtag(output.ETag) !== plainEtag(ifMatch)) {
    body.destroy()
    throw changed(context, key)
  }
  const lengthBytes = output.ContentLength
  if (lengthBytes === undefined) {
    body.destroy()
    throw new BackupError('STORAGE_UNSUPPORTED', `${context.name}: the storage does not say how long ${key} is.`)
  }
  const sizeBytes = totalSize(output.ContentRange) ?? lengthBytes
  const isWhole = lengthBytes === sizeBytes
  if (!isAnswerTo({ start, end }, output.ContentRange, lengthBytes)) {
    body.destroy()
    const answer = output.ContentRange ?? 'the whole object'
    throw new BackupError('STORAGE_UNSUPPORTED', `${context.name}: asked for ${Range}, the storage sent ${answer}.`)
  }
  const sha256 = isWhole && sizeBytes <= checkedBytes ? output.Metadata?.[sha256Metadata] : undefined
  const raw = readBody(context, body, lengthBytes, { key, signal })
  return {
    ...objectFacts(output, sizeBytes),
    stream: sha256 === undefined ? raw : checkedBody(context, raw, key, sha256),
  }
}

/** Which form of an etag in `If-Match` a store understands: AWS takes both, RGW only the bare one. */
export interface EtagForm {
  tryBoth<T>(etag: string, run: (ifMatch: string) => Promise<T>): Promise<T>
}

export function createEtagForm(): EtagForm {
  let quotedFirst = true
  return {
    async tryBoth(etag, run) {
      const bare = plainEtag(etag) ?? etag
      const forms = [`"${bare}"`, bare]
      const [first, second] = quotedFirst ? forms : forms.reverse()
      try {
        return await run(first as string)
      } catch (error) {
        if (!isBackupError(error, 'OBJECT_CHANGED')) throw error
      }
      const result = await run(second as string)
      quotedFirst = !quotedFirst
      return result
    },
  }
}

async function emptyAnswer(
  context: S3Context,
  key: string,
  ifMatch: string | undefined,
  signal: AbortSignal | undefined,
): Promise<GetResult> {
  const facts = await headObject(context, key, { signal })
  if (ifMatch !== undefined && plainEtag(ifMatch) !== facts.etag) throw changed(context, key)
  return { ...facts, stream: nothing() }
}

async function* nothing(): AsyncGenerator<Uint8Array, void, void> {}

function changed(context: S3Context, key: string): BackupError {
  return new BackupError('OBJECT_CHANGED', `${context.name}: ${key} is not the object it was.`)
}

function rangeHeader({ start = 0, end = Number.POSITIVE_INFINITY }: ByteRange): string | undefined {
  if (start === 0 && end === Number.POSITIVE_INFINITY) return undefined
  return `bytes=${start}-${end === Number.POSITIVE_INFINITY ? '' : end - 1}`
}

/** Some stores ignore ranges, others misread them; whoever reads from the middle must not get the beginning. */
function isAnswerTo(
  { start, end }: Required<ByteRange>,
  contentRange: string | undefined,
  lengthBytes: number,
): boolean {
  if (contentRange === undefined) return start === 0 && end >= lengthBytes
  const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(contentRange) ?? []
  const sentEnd = Number(last) + 1
  if (Number(first) !== start || sentEnd - start !== lengthBytes) return false
  // Where the object ends before the range does, so does the answer.
  return sentEnd === end || (sentEnd < end && (totalSize(contentRange) ?? sentEnd) === sentEnd)
}

/** `bytes 0-9/700`, or a star where the store does not know. */
function totalSize(contentRange: string | undefined): number | undefined {
  const total = /\/(\d+)$/.exec(contentRange ?? '')?.[1]
  return total === undefined ? undefined : Number(total)
}

function isRangeError(error: unknown): boolean {
  return isBackupError(error) && error.cause instanceof Error && error.cause.name === 'InvalidRange'
}

interface Reading {
  readonly key: string
  readonly signal: AbortSignal | undefined
}

/** The bytes of an answer; fewer than announced are an error. Leaving it early ends the transfer. */
function readBody(
  context: S3Context,
  body: Readable,
  lengthBytes: number,
  reading: Reading,
): AsyncIterable<Uint8Array> {
  // Read or not, a connection that breaks must not end the process.
  body.on('error', () => {})
  const unread = setTimeout(() => body.destroy(), unreadMs)
  unread.unref()
  body.once('close', () => clearTimeout(unread))
  const facts = { operation: 'get', ...reading }

  async function* read(): AsyncGenerator<Uint8Array, void, void> {
    clearTimeout(unread)
    const iterator = body[Symbol.asyncIterator]()
    let readBytes = 0
    try {
      for (;;) {
        const next = await context.connection.call(facts, () => {
          reading.signal?.throwIfAborted()
          return iterator.next()
        })
        if (next.done === true) break
        readBytes += next.value.byteLength
        yield ownChunk(next.value)
      }
      if (readBytes < lengthBytes) {
        throw new BackupError(
          'UNAVAILABLE',
          `${context.name}: get of ${reading.key} ended after ${readBytes} of ${lengthBytes} bytes.`,
        )
      }
    } finally {
      body.destroy()
    }
  }
  return read()
}

/** TCP's checksum misses some flipped bits, and not every store is reached over TLS. */
async function* checkedBody(
  context: S3Context,
  raw: AsyncIterable<Uint8Array>,
  key: string,
  sha256: string,
): AsyncGenerator<Uint8Array, void, void> {
  const chunks: Uint8Array[] = []
  const hash = createHash('sha256')
  for await (const chunk of raw) {
    hash.update(chunk)
    chunks.push(chunk)
  }
  if (hash.digest('hex') !== sha256) {
    throw new BackupError('UNAVAILABLE', `${context.name}: get of ${key} brought other bytes than were stored.`)
  }
  yield* chunks
}
