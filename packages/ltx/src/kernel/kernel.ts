import { createJsKernel } from './js-kernel.ts'
import { createWasmKernel } from './wasm-kernel.ts'

/** A CRC-64 in progress: the two halves of the finished value, so that no BigInt is needed in a loop. */
export interface Crc64 {
  lo: number
  hi: number
}

/**
 * The arithmetic of the format: LZ4 blocks, CRC-64/GO-ISO and XXH32, on one small memory that all files share.
 *
 * Bytes are put into `memory` once and worked on in place. Nothing is kept there between calls, and no call waits, so one
 * kernel serves any number of encoders and decoders. Give your own as the `kernel` option to replace it.
 */
export interface LtxKernel {
  readonly name: string
  readonly memory: Uint8Array
  /** Where an uncompressed page stands. The 16 bytes before it are free (a page's header is hashed with it); 64 KB + 64 after. */
  readonly page: number
  /** Where compressed bytes stand: room for the worst case of a 64 KB page. */
  readonly packed: number
  /** 8 KB for hashing headers and index pieces without touching a page. */
  readonly scratch: number
  /** Continues a CRC-64/GO-ISO over `size` bytes at `from`. */
  crc64(crc: Crc64, from: number, size: number): void
  /** XXH32 with seed 0 of `size` bytes at `from`, as an unsigned number. */
  xxh32(from: number, size: number): number
  /** Continues a CRC over the page of `size` bytes and the `headerSize` bytes before it; returns the XXH32 of the page alone. */
  hashPage(crc: Crc64, headerSize: number, size: number): number
  /** Writes an LZ4 block of `size` (at least 1) bytes at `from` to `to`; returns its size, at most `maxLz4BlockSize(size)`. */
  compress(from: number, size: number, to: number): number
  /**
   * Reads an LZ4 block of `size` bytes at `from` to `to`, at most `limit` bytes of content; matches reach back to `window`.
   * Returns the size of the content, or -1 when the block is damaged. May write up to 15 bytes past the limit.
   */
  decompress(from: number, size: number, to: number, limit: number, window: number): number
}

/** Size of the scratch area of a kernel, in bytes. */
export const SCRATCH_SIZE = 8192

/** The largest LZ4 block that `size` bytes can become: all literals. https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md */
export function maxLz4BlockSize(size: number): number {
  return size + Math.floor(size / 255) + 16
}

let shared: LtxKernel | undefined

/** The kernel that is used when none is given: WebAssembly, or plain JavaScript where that may not be compiled. */
export function defaultKernel(): LtxKernel {
  shared ??= createWasmKernel() ?? createJsKernel()
  return shared
}

/** Continues a CRC over bytes that are outside of the kernel's memory. */
export function crc64Bytes(kernel: LtxKernel, crc: Crc64, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += SCRATCH_SIZE) {
    const piece = bytes.subarray(at, at + SCRATCH_SIZE)
    kernel.memory.set(piece, kernel.scratch)
    kernel.crc64(crc, kernel.scratch, piece.length)
  }
}

/** The finished value of a CRC as one 64-bit number. */
export function crc64Value(crc: Crc64): bigint {
  return (BigInt(crc.hi >>> 0) << 32n) | BigInt(crc.lo >>> 0)
}
