import { LtxError } from './ltx-error.ts'

/** A file that can be read at any place: on disk, by HTTP ranges, in memory. What `read` throws is passed on as it is. */
export interface LtxSource {
  /** Size of the whole file, in bytes. */
  readonly sizeBytes: number
  /** Bytes `start` up to, not including, `end`: exactly that many. `openLtx` keeps some: do not use their memory again. */
  read(start: number, end: number): Uint8Array | Promise<Uint8Array>
}

/** Where a file's bytes come from: all of them, a stream of them (any chunk size), or ranges on demand. */
export type LtxInput = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | LtxSource

const INPUT_HINT =
  'Give a Uint8Array, an (async) iterable of them, or { sizeBytes, read(start, end) }. A path is opened first: createReadStream(path).'

/** Whether a value is bytes; also those of another realm (a `vm` context, an iframe), which `instanceof` does not know. */
export function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array || Object.prototype.toString.call(value) === '[object Uint8Array]'
}

/** Throws `LTX_SOURCE_INVALID` for what no file can be read from, before anything is read. */
export function checkInput(input: LtxInput): void {
  if (typeof input === 'object' && input !== null) {
    if (isLtxSource(input)) checkSource(input)
    if (isLtxSource(input) || Symbol.asyncIterator in input || Symbol.iterator in input) return
  }
  throw new LtxError('LTX_SOURCE_INVALID', 'This is not something an LTX file can be read from.', { hint: INPUT_HINT })
}

/** Throws `LTX_SOURCE_INVALID` for what is no source, or one without a size. */
export function checkSource(source: LtxSource): void {
  if (typeof source !== 'object' || source === null || typeof source.read !== 'function') {
    throw new LtxError('LTX_SOURCE_INVALID', 'This is not a source that can be read at any place.', {
      hint: 'Give { sizeBytes, read(start, end) }.',
    })
  }
  if (!Number.isSafeInteger(source.sizeBytes) || source.sizeBytes < 0) {
    throw new LtxError('LTX_SOURCE_INVALID', `The source says its size is ${source.sizeBytes}.`, {
      hint: 'sizeBytes is the size of the whole file in bytes, as a number.',
    })
  }
}

/** Whether an input can be read at any place. */
export function isLtxSource(input: LtxInput): input is LtxSource {
  return 'read' in input && typeof input.read === 'function' && 'sizeBytes' in input
}

/** The size of the file, where it is known before reading it. */
export function sizeOf(input: LtxInput): number | undefined {
  if (isBytes(input)) return input.length
  return isLtxSource(input) ? input.sizeBytes : undefined
}

/** Reads a range and refuses a source that answers with another number of bytes. */
export async function readRange(source: LtxSource, start: number, end: number): Promise<Uint8Array> {
  const bytes = await source.read(start, end)
  if (!isBytes(bytes) || bytes.length !== end - start) {
    const got = isBytes(bytes) ? `${bytes.length}` : 'something that is not a Uint8Array'
    throw new LtxError('LTX_SOURCE_INVALID', `Asked for bytes ${start} to ${end}, got ${got}.`, {
      offset: start,
      hint: 'read(start, end) returns exactly the bytes from start up to, not including, end.',
    })
  }
  return bytes
}

/** The chunks of an input, in order. Ranges are asked for one at a time, `rangeSize` bytes each. */
export function chunksOf(input: LtxInput, rangeSize: number): AsyncIterator<Uint8Array> | Iterator<Uint8Array> {
  if (isBytes(input)) return [input][Symbol.iterator]()
  if (isLtxSource(input)) return ranges(input, rangeSize)
  if (Symbol.asyncIterator in input) return input[Symbol.asyncIterator]()
  return input[Symbol.iterator]()
}

async function* ranges(source: LtxSource, rangeSize: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < source.sizeBytes; start += rangeSize) {
    yield await readRange(source, start, Math.min(start + rangeSize, source.sizeBytes))
  }
}
