const disposable = new WeakSet<ArrayBufferLike>()

/**
 * Says that nobody but the reader of a stream will know this chunk, so that whoever uses it last may give its memory back:
 * left to the garbage collector, some thirty megabytes of chunks pile up first. Only for a chunk that has its memory for
 * itself; a slice is left alone.
 */
export function disposableChunk<T extends Uint8Array>(chunk: T): T {
  if (isWhole(chunk)) disposable.add(chunk.buffer)
  return chunk
}

/**
 * Gives the memory of a chunk back now, if who made it allowed that; it has length 0 afterwards. For a storage adapter
 * when the bytes of a body have been sent, and it has not kept the chunk.
 */
export function disposeChunk(chunk: Uint8Array): void {
  const { buffer } = chunk
  if (isWhole(chunk) && buffer instanceof ArrayBuffer && disposable.has(buffer) && !buffer.detached) buffer.transfer(0)
}

function isWhole(chunk: Uint8Array): boolean {
  return chunk.byteLength === chunk.buffer.byteLength
}
