import { createHash, webcrypto } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import { BackupError, type Body } from '@sqlite-backup/core'
import { mib, minPartSizeBytes } from './s3-options.ts'

/** A stretch of a body that goes up in one request. */
export interface Part {
  readonly index: number
  readonly start: number
  readonly sizeBytes: number
  readonly sha256: Uint8Array
  /** The bytes; every call starts anew. */
  stream(): AsyncIterable<Uint8Array>
}

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const maxParts = 10_000
const maxPartSizeBytes = 5 * 1024 * mib
/** Hashed at once on the event loop: about half a millisecond. */
const hashSliceBytes = 256 * 1024

export interface PartSizes {
  /** What the user wants, if anything. */
  readonly partSizeBytes: number | undefined
  readonly defaultPartSizeBytes: number
}

/**
 * The size of all parts but the last: equal, because R2 wants them so, and such that they suffice for the largest the body may get.
 * The body's own pieces where they fit, since their digests are there already.
 */
export function decidePartSize(
  body: Pick<Body, 'maxSizeBytes' | 'pieces'>,
  sizeBytes: number | undefined,
  sizes: PartSizes,
): number {
  const largest = sizeBytes ?? body.maxSizeBytes ?? 0
  const needed = Math.max(minPartSizeBytes, Math.ceil(largest / maxParts / mib) * mib)
  if (needed > maxPartSizeBytes) throw new BackupError('STORAGE_UNSUPPORTED', `S3 takes no object of ${largest} bytes.`)
  const piece = body.pieces?.sizeBytes
  if (sizes.partSizeBytes === undefined && piece !== undefined && piece >= needed && piece <= maxPartSizeBytes)
    return piece
  return Math.max(sizes.partSizeBytes ?? sizes.defaultPartSizeBytes, needed)
}

/** A body of known size as one part, however large. Only a small one is held in memory. */
export async function wholePart(body: Body, sizeBytes: number): Promise<Part> {
  const stream = () => exactly(body, 0, sizeBytes)
  const common = { index: 0, start: 0, sizeBytes }
  if (body.pieces !== undefined && sizeBytes > 0 && sizeBytes <= body.pieces.sizeBytes) {
    return { ...common, stream, sha256: await body.pieces.sha256(0) }
  }
  if (sizeBytes <= minPartSizeBytes) return hashedPart(stream(), common, sizeBytes)
  const hash = createHash('sha256')
  for await (const chunk of stream()) {
    for (let at = 0; at < chunk.byteLength; at += hashSliceBytes) {
      hash.update(chunk.subarray(at, at + hashSliceBytes))
      await turn()
    }
  }
  return { ...common, stream, sha256: hash.digest() }
}

/** The parts in order, each as soon as its bytes are there, which may be long before the body has ended. */
export async function* partsOf(body: Body, partSizeBytes: number): AsyncGenerator<Part, void, void> {
  const size = watch(body.size)
  for (let index = 0; ; index++) {
    if (index === maxParts)
      throw new BackupError('STORAGE_UNSUPPORTED', `The body needs more than ${maxParts} parts.`, {
        hint: 'Set a larger `partSize`.',
      })
    const start = index * partSizeBytes
    const part =
      body.pieces?.sizeBytes === partSizeBytes
        ? await digestedPart(body, body.pieces, index, size)
        : await hashedPart(body.stream({ start, end: start + partSizeBytes }), { index, start }, partSizeBytes)
    if (part.sizeBytes > 0) yield part
    if (part.sizeBytes < partSizeBytes) return
    if (size.known !== undefined && start + part.sizeBytes >= size.known) return
  }
}

/** A part whose digest comes with the body: streamed from where it lies, never held. */
async function digestedPart(
  body: Body,
  pieces: NonNullable<Body['pieces']>,
  index: number,
  size: WatchedSize,
): Promise<Part> {
  const start = index * pieces.sizeBytes
  const end = start + pieces.sizeBytes
  // A full piece and the last, shorter one look alike until a byte behind it is there or the body has ended.
  if (size.known === undefined) await Promise.race([size.promise, hasByteAt(body, end)])
  const sizeBytes = size.known === undefined ? pieces.sizeBytes : Math.max(0, Math.min(end, size.known) - start)
  if (sizeBytes === 0)
    return { index, start, sizeBytes, sha256: new Uint8Array(), stream: () => once(new Uint8Array()) }
  const sha256 = await pieces.sha256(index)
  return { index, start, sizeBytes, sha256, stream: () => exactly(body, start, start + sizeBytes) }
}

/** A part that has to be read to be hashed: then it may as well be kept until it is sent. Hashed on the thread pool. */
async function hashedPart(
  stream: AsyncIterable<Uint8Array>,
  place: Pick<Part, 'index' | 'start'>,
  maxSizeBytes: number,
): Promise<Part> {
  const bytes = await collect(stream, maxSizeBytes)
  const sha256 = new Uint8Array(await webcrypto.subtle.digest('SHA-256', bytes))
  return { index: place.index, start: place.start, sizeBytes: bytes.byteLength, sha256, stream: () => once(bytes) }
}

async function hasByteAt(body: Body, at: number): Promise<boolean> {
  for await (const chunk of body.stream({ start: at, end: at + 1 })) if (chunk.byteLength > 0) return true
  await body.size
  return false
}

interface WatchedSize {
  readonly known: number | undefined
  readonly promise: Promise<number>
}

function watch(size: number | Promise<number>): WatchedSize {
  if (typeof size === 'number') return { known: size, promise: Promise.resolve(size) }
  const watched: { known: number | undefined; promise: Promise<number> } = { known: undefined, promise: size }
  // A body that breaks says so in its stream and digests too, where somebody listens.
  size.then(
    (known) => (watched.known = known),
    () => {},
  )
  return watched
}

async function collect(stream: AsyncIterable<Uint8Array>, sizeBytes: number): Promise<Buffer<ArrayBuffer>> {
  const bytes = Buffer.allocUnsafeSlow(sizeBytes)
  let filled = 0
  for await (const chunk of stream) {
    if (filled + chunk.byteLength > sizeBytes)
      throw new BackupError('BODY_TOO_LONG', 'The body gave more bytes than were asked for.')
    bytes.set(chunk, filled)
    filled += chunk.byteLength
  }
  return bytes.subarray(0, filled)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes
}

/** @throws BackupError `BODY_TRUNCATED` or `BODY_TOO_LONG`, since a request whose length is announced cannot end otherwise. */
async function* exactly(body: Body, start: number, end: number): AsyncGenerator<Uint8Array, void, void> {
  let at = start
  for await (const chunk of body.stream({ start, end })) {
    at += chunk.byteLength
    if (at > end) throw new BackupError('BODY_TOO_LONG', `The body gave more than the bytes ${start} to ${end}.`)
    yield chunk
  }
  if (at < end) throw new BackupError('BODY_TRUNCATED', `The body ended at byte ${at} instead of ${end}.`)
}
