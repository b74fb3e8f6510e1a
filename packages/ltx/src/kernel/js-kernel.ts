import { crc64 } from './crc64.ts'
import type { LtxKernel } from './kernel.ts'
import { compressBlock, decompressBlock } from './lz4-block.ts'
import { xxh32 } from './xxh32.ts'

// The same layout as wasm/kernel.ts.
const PAGE_AT = 0x4410

/** The kernel in plain JavaScript: for places that may not compile WebAssembly, and to check the other one against. */
export function createJsKernel(): LtxKernel {
  const memory = new Uint8Array(3 * 65536)
  const view = new DataView(memory.buffer)
  return {
    name: 'js',
    memory,
    scratch: 0x2400,
    page: PAGE_AT,
    packed: 0x16000,
    crc64: (crc, from, size) => crc64(crc, view, from, size),
    xxh32: (from, size) => xxh32(view, from, size),
    hashPage(crc, headerSize, size) {
      crc64(crc, view, PAGE_AT - headerSize, headerSize + size)
      return xxh32(view, PAGE_AT, size)
    },
    compress: (from, size, to) => compressBlock(memory, view, from, size, to),
    decompress: (from, size, to, limit, window) => decompressBlock(memory, from, size, to, limit, window),
  }
}
