import { LtxError } from './ltx-error.ts'
import { isBytes } from './source.ts'

const NOTHING = new Uint8Array(0)

/**
 * A view on a stream of chunks in which the next bytes stand in one piece.
 *
 * Everything goes through one buffer. The copy costs little (the bytes are about to be read anyway), and chunks are let go of at
 * once: those that live longer are only freed by the garbage collector's rare full runs, which a merge of a thousand files
 * would pay with memory.
 */
export class ChunkWindow {
  bytes: Uint8Array<ArrayBuffer>
  view: DataView
  /** The next byte, and the end of what is there, in `bytes`. */
  at = 0
  end = 0
  /** Where in the file `bytes` begins. */
  #offset = 0
  #chunk: Uint8Array = NOTHING
  #chunkAt = 0
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>
  readonly #bufferSize: number
  #isOver = false

  constructor(chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>, bufferSize: number) {
    this.#chunks = chunks
    this.#bufferSize = bufferSize
    this.bytes = new Uint8Array(bufferSize)
    this.view = new DataView(this.bytes.buffer)
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
    if (this.has(size)) return true
    this.#makeRoom(size)
    while (!this.has(size)) {
      if (this.#chunkAt === this.#chunk.length && !(await this.#nextChunk())) return false
      const piece = this.#chunk.subarray(this.#chunkAt, this.#chunkAt + this.bytes.length - this.end)
      this.bytes.set(piece, this.end)
      this.end += piece.length
      this.#chunkAt += piece.length
      if (this.#chunkAt === this.#chunk.length) {
        this.#chunk = NOTHING
        this.#chunkAt = 0
      }
    }
    return true
  }

  /** Lets go of the input, which may not have been read to its end. */
  async close(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.#chunks.return?.()
  }

  /** Moves what is left to the front of a buffer that holds `size` bytes, and no more than is usual if that is enough. */
  #makeRoom(size: number): void {
    const rest = this.bytes.subarray(this.at, this.end)
    const wanted = Math.max(size, this.#bufferSize)
    if (this.bytes.length !== wanted) {
      this.bytes = new Uint8Array(wanted)
      this.view = new DataView(this.bytes.buffer)
    }
    this.bytes.set(rest)
    this.#offset += this.at
    this.end = rest.length
    this.at = 0
  }

  async #nextChunk(): Promise<boolean> {
    while (!this.#isOver) {
      const next = await this.#chunks.next()
      if (next.done) {
        this.#isOver = true
        return false
      }
      if (!isBytes(next.value)) {
        throw new LtxError('LTX_SOURCE_INVALID', 'The input gave something that is not a Uint8Array.', {
          offset: this.#offset + this.end,
        })
      }
      if (next.value.length > 0) {
        this.#chunk = next.value
        this.#chunkAt = 0
        return true
      }
    }
    return false
  }
}
