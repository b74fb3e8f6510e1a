/** Pulls exact byte counts out of a stream of chunks. */
export interface ByteReader {
  /** Bytes handed out so far. */
  readonly position: number
  /** `count` contiguous bytes, or fewer when the input ends before. */
  read(count: number): Promise<Buffer>
  /** The next bytes, at most `maxCount` of them, without copying; undefined at the end of the input. */
  readSome(maxCount: number): Promise<Buffer | undefined>
  /** Puts bytes back in front of what comes next. */
  unread(bytes: Buffer): void
  /** Ends the input early, so that its source can let go of what it holds. */
  close(): Promise<void>
}

export function createByteReader(input: AsyncIterable<Uint8Array>): ByteReader {
  const source = input[Symbol.asyncIterator]()
  let chunk: Buffer = Buffer.alloc(0)
  let position = 0
  let isDone = false

  const readSome = async (maxCount: number): Promise<Buffer | undefined> => {
    while (chunk.length === 0) {
      if (isDone) return undefined
      const next = await source.next()
      if (next.done === true) {
        isDone = true
        return undefined
      }
      chunk = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength)
    }
    const some = chunk.subarray(0, maxCount)
    chunk = chunk.subarray(some.length)
    position += some.length
    return some
  }

  return {
    get position() {
      return position
    },
    readSome,
    async read(count) {
      const first = await readSome(count)
      if (first === undefined || first.length === count) return first ?? Buffer.alloc(0)
      const parts = [first]
      let missing = count - first.length
      while (missing > 0) {
        const part = await readSome(missing)
        if (part === undefined) break
        parts.push(part)
        missing -= part.length
      }
      return Buffer.concat(parts)
    },
    unread(bytes) {
      chunk = Buffer.concat([bytes, chunk])
      position -= bytes.length
    },
    async close() {
      if (isDone) return
      isDone = true
      await source.return?.()
    },
  }
}
