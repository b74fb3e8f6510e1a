/** Node's shared pool, which small buffers are slices of, is smaller than this. */
const minOwnBytes = 256 * 1024

/**
 * Gives a buffer's memory back now instead of at some later garbage collection, which lets buffers pile up to about
 * 100 MB first. Every view of the buffer has length 0 afterwards. Small slices are left alone.
 */
export function freeBuffer(bytes: Uint8Array): void {
  const { buffer } = bytes
  const isOwn = buffer.byteLength >= minOwnBytes || (bytes.length === buffer.byteLength && bytes.length > 0)
  if (buffer instanceof ArrayBuffer && isOwn && !buffer.detached) buffer.transfer(0)
}
