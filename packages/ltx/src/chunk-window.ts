import { LtxError } from './ltx-error.ts'

/** At least so much of a chunk is joined to what was left of the one before, so that a page's header and payload come at once. */
const PIECE_SIZE = 1024

/**
 * A view on a stream of chunks in which the next bytes stand in one piece.
 *
 * As long as they lie within a chunk nothing is copied. Where a record spans chunks, what is left of one and a piece of the next
 * are put together in a small buffer; once what was left is read, the window goes back to the chunk itself.
 */
export class ChunkWindow {
  bytes = new Uint8Array(0)
  view = new DataView(this.bytes.buffer)
  /** The next byte, and the end of what is there, in `bytes`. */
  at = 0
  end = 0
  /** Where in the file `bytes` begins. */
  #offset = 0
  /** The chunk that is being read, and the first byte of it that is not in `bytes`. */
  #chunk = new Uint8Array(0)
  #chunkAt = 0
  /** While `bytes` is a joined buffer: how much of it is from before the chunk. */
  #carried = 0
  #joined = new Uint8Array(0)
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  #isOver = false

  constructor(chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>) {
    this.#chunks = chunks
  }

  /** Where in the file the next byte stands. */
  get offset(): number {
    return this.#offset + this.at
  }

  has(size: number): boolean {
    return this.end - this.at >= size
  }

  /** Waits until `size` bytes are there in one piece; false when the input ends before that. */
  async fill(size: number): Promise<boolean> {
    while (!this.has(size)) {
      const joined = this.#carried > 0 ? this.at - this.#carried : -1
      if (joined >= 0) this.#showChunk(this.#chunkAt - (this.end - this.at))
      else if (this.#chunkAt === this.#chunk.length) {
        if (!(await this.#nextChunk())) return false
      } else if (this.at === this.end) this.#showChunk(this.#chunkAt)
      else this.#join(size)
    }
    return true
  }

  /** Lets go of the input, which may not have been read to its end. */
  async close(): Promise<void> {
    this.#isOver = true
    await this.#chunks.return?.()
  }

  #showChunk(from: number): void {
    this.#show(this.#chunk, from, this.#chunk.length)
    this.#chunkAt = this.#chunk.length
    this.#carried = 0
  }

  #join(size: number): void {
    const rest = this.bytes.subarray(this.at, this.end)
    const piece = this.#chunk.subarray(this.#chunkAt, this.#chunkAt + Math.max(size - rest.length, PIECE_SIZE))
    const length = rest.length + piece.length
    // Far too large is not kept either: a merge has a thousand of these.
    if (this.#joined.length < length || this.#joined.length > 4 * length) this.#joined = new Uint8Array(2 * length)
    this.#joined.set(rest)
    this.#joined.set(piece, rest.length)
    this.#show(this.#joined, 0, length)
    this.#chunkAt += piece.length
    this.#carried = rest.length
  }

  #show(bytes: Uint8Array<ArrayBuffer>, at: number, end: number): void {
    this.#offset = this.offset - at
    if (this.bytes !== bytes) this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  async #nextChunk(): Promise<boolean> {
    while (!this.#isOver) {
      const next = await this.#chunks.next()
      if (next.done) {
        this.#isOver = true
        return false
      }
      if (!(next.value instanceof Uint8Array)) {
        throw new LtxError('LTX_SOURCE_INVALID', 'The input gave something that is not a Uint8Array.', {
          offset: this.offset + this.end - this.at,
        })
      }
      if (next.value.length > 0) {
        this.#chunk = next.value as Uint8Array<ArrayBuffer>
        this.#chunkAt = 0
        return true
      }
    }
    return false
  }
}
