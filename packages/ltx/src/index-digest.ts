import { type Crc64, type LtxKernel, SCRATCH_SIZE } from './kernel/kernel.ts'
import { MAX_UVARINT_SIZE, writeUvarint } from './uvarint.ts'

/** What a page index must be, without keeping it: its size and a CRC of its bytes. */
export interface IndexDigest {
  add(pgno: number, offset: number, size: number): void
  finish(): { readonly size: number; readonly crc: Crc64 }
}

/**
 * Follows the pages of a file and knows at the end whether its index describes them, in constant memory: the index of a 100 GB
 * snapshot is 280 MB, but there is only one right way to write it.
 */
export function createIndexDigest(kernel: LtxKernel): IndexDigest {
  const crc: Crc64 = { lo: 0, hi: 0 }
  const bytes = new Uint8Array(SCRATCH_SIZE / 8)
  let used = 0
  let size = 0

  function flush(): void {
    kernel.memory.set(bytes.subarray(0, used), kernel.scratch)
    kernel.crc64(crc, kernel.scratch, used)
    size += used
    used = 0
  }

  return {
    add(pgno, offset, frameSize) {
      if (bytes.length - used < 3 * MAX_UVARINT_SIZE) flush()
      used = writeUvarint(bytes, used, pgno)
      used = writeUvarint(bytes, used, offset)
      used = writeUvarint(bytes, used, frameSize)
    },
    finish() {
      bytes[used++] = 0
      flush()
      return { size, crc }
    },
  }
}
