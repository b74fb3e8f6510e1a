import { addToChecksum, type Checksum, equalsStored } from './checksum.ts'
import { frameHeaderBytes, type WalHeader } from './wal-header.ts'
import { wordsOf } from './words.ts'

export interface Frame {
  /** 1-based. */
  readonly number: number
  readonly page: number
  /** Pages in the database after this commit; 0 unless the frame commits. */
  readonly commitPages: number
  /** Of the log up to and with this frame. */
  readonly checksum: Readonly<Checksum>
}

/** Follows the checksum chain of a log from its header on, in chunks of whole frames. */
export interface FrameScanner {
  /** Frames found valid so far. */
  readonly frame: number
  /** Checksum of the last of them. */
  readonly checksum: Readonly<Checksum>
  /**
   * Reads the whole frames at the start of `bytes`, which follow on what was scanned before. Stops at the first that
   * does not belong to this generation of the log. Returns whether all were valid.
   */
  scan(bytes: Buffer, onFrame: (frame: Frame) => void): boolean
}

/**
 * A frame is valid when its salts are the header's and its checksum continues the chain:
 * https://sqlite.org/fileformat2.html#walformat. Valid is not committed: see {@link WalIndexHeader}.
 */
export function createFrameScanner(header: WalHeader): FrameScanner {
  const sums: Checksum = [header.checksum[0], header.checksum[1]]
  const frameBytes = header.pageSize + frameHeaderBytes
  let number = 0
  return {
    get frame() {
      return number
    },
    get checksum() {
      return [sums[0], sums[1]] as const
    },
    scan(bytes, onFrame) {
      const count = Math.floor(bytes.length / frameBytes)
      const words = wordsOf(bytes, 0, count * frameBytes, header.checksumOrder)
      for (let i = 0; i < count; i++) {
        const at = i * frameBytes
        if (bytes.readUInt32BE(at + 8) !== header.salt1 || bytes.readUInt32BE(at + 12) !== header.salt2) return false
        const next: Checksum = [sums[0], sums[1]]
        const word = at / 4
        addToChecksum(next, words, word, word + 2)
        addToChecksum(next, words, word + frameHeaderBytes / 4, word + frameBytes / 4)
        if (!equalsStored(next, bytes, at + 16)) return false
        sums[0] = next[0]
        sums[1] = next[1]
        number += 1
        onFrame({ number, page: bytes.readUInt32BE(at), commitPages: bytes.readUInt32BE(at + 4), checksum: next })
      }
      return true
    },
  }
}
