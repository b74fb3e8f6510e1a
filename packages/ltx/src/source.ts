import { LtxError } from './ltx-error.ts'

/** A file that can be read at any place: on disk, by HTTP ranges, in memory. */
export interface LtxSource {
  /** Size of the whole file. */
  readonly sizeBytes: number
  /** Bytes `start` up to, not including, `end`: exactly that many. */
  read(start: number, end: number): Uint8Array | Promise<Uint8Array>
}

/** Where a file's bytes come from: all of them, a stream of them (any chunk size), or ranges on demand. */
export type LtxInput = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | LtxSource

/** Whether an input can be read at any place. */
export function isLtxSource(input: LtxInput): input is LtxSource {
  return 'read' in input && typeof input.read === 'function' && 'sizeBytes' in input
}

/** The size of the file, where it is known before reading it. */
export function sizeOf(input: LtxInput): number | undefined {
  if (input instanceof Uint8Array) return input.length
  return isLtxSource(input) ? input.sizeBytes : undefined
}

/** Reads a range and refuses a source that answers with another number of bytes. */
export async function readRange(source: LtxSource, start: number, end: number): Promise<Uint8Array> {
  const bytes = await source.read(start, end)
  if (bytes.length !== end - start) {
    throw new LtxError('LTX_SOURCE_INVALID', `Asked for bytes ${start} to ${end}, got ${bytes.length}.`, {
      offset: start,
      hint: 'read(start, end) returns exactly the bytes from start up to, not including, end.',
    })
  }
  return bytes
}

/** The chunks of an input, in order. Ranges are asked for one at a time, `rangeSize` bytes each. */
export function chunksOf(input: LtxInput, rangeSize: number): AsyncIterator<Uint8Array> | Iterator<Uint8Array> {
  if (input instanceof Uint8Array) return [input][Symbol.iterator]()
  if (isLtxSource(input)) return ranges(input, rangeSize)
  if (Symbol.asyncIterator in input) return input[Symbol.asyncIterator]()
  if (Symbol.iterator in input) return input[Symbol.iterator]()
  throw new LtxError('LTX_SOURCE_INVALID', 'This is not something an LTX file can be read from.', {
    hint: 'Give a Uint8Array, an (async) iterable of them, or { sizeBytes, read(start, end) }.',
  })
}

async function* ranges(source: LtxSource, rangeSize: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let start = 0; start < source.sizeBytes; start += rangeSize) {
    yield await readRange(source, start, Math.min(start + rangeSize, source.sizeBytes))
  }
}
