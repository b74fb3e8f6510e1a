import { CHECKSUM_FLAG, isPageSize } from './format.ts'
import { type Crc64, crc64Value, defaultKernel, type LtxKernel } from './kernel/kernel.ts'
import { LtxError } from './ltx-error.ts'
import { isBytes } from './source.ts'

/** The checksum of a whole database, one page at a time: an XOR over its pages, so that a page can be taken out again. */
export interface RollingChecksum {
  /** Takes in the page of `size` bytes that stands in the kernel. */
  addKernelPage(pgno: number, size: number): void
  value(): bigint
}

export function createRollingChecksum(kernel: LtxKernel): RollingChecksum {
  const view = new DataView(kernel.memory.buffer, kernel.memory.byteOffset)
  const page: Crc64 = { lo: 0, hi: 0 }
  let lo = 0
  let hi = 0
  return {
    addKernelPage(pgno, size) {
      page.lo = 0
      page.hi = 0
      view.setUint32(kernel.page - 4, pgno)
      kernel.crc64(page, kernel.page - 4, size + 4)
      lo ^= page.lo
      hi ^= page.hi
    },
    value: () => CHECKSUM_FLAG | crc64Value({ lo, hi }),
  }
}

/**
 * The checksum of one page: CRC-64 of its number and content, with the top bit set.
 *
 * A database's checksum is the XOR of its pages' (without the lock page), with the top bit set. Throws `LTX_OPTION_INVALID`.
 */
export function pageChecksum(page: { readonly pgno: number; readonly data: Uint8Array }): bigint {
  const { pgno, data } = page
  if (!Number.isInteger(pgno) || pgno < 1 || pgno > 0xffffffff || !isBytes(data) || !isPageSize(data.length)) {
    throw new LtxError('LTX_OPTION_INVALID', `Page ${pgno} with ${isBytes(data) ? data.length : 'no'} bytes.`, {
      rule: 'A page has a number from 1 and 512 to 65536 bytes, a power of two.',
    })
  }
  const kernel = defaultKernel()
  kernel.memory.set(data, kernel.page)
  const sum = createRollingChecksum(kernel)
  sum.addKernelPage(pgno, data.length)
  return sum.value()
}
