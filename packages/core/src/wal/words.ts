import { endianness } from 'node:os'

export const nativeOrder: 'LE' | 'BE' = endianness()

/**
 * Bytes as 32-bit words in the given byte order. A view without a copy when that is the machine's order and the bytes
 * are aligned; then it changes with them.
 */
export function wordsOf(bytes: Buffer, offset: number, length: number, order: 'LE' | 'BE'): Int32Array {
  const start = bytes.byteOffset + offset
  if (order === nativeOrder && start % 4 === 0) return new Int32Array(bytes.buffer, start, length / 4)
  const copy = Buffer.from(bytes.subarray(offset, offset + length))
  if (order !== nativeOrder) copy.swap32()
  // Small buffers come from Node's pool, at any offset.
  return new Int32Array(copy.buffer.slice(copy.byteOffset, copy.byteOffset + length))
}
