import { createHash } from 'node:crypto'
import type { SeekEntry } from './zstd-format.ts'

/**
 * What has been seen of a body's frames, to be compared with its seek table. Keeps digests instead of entries, so a
 * hostile body of endless tiny frames costs no memory.
 */
export interface FrameLedger {
  readonly frameCount: number
  /** Without a checksum: the table's own is then not compared. */
  add(entry: Omit<SeekEntry, 'checksum'> & { readonly checksum: number | undefined }): void
  /** Starts the comparison with a table of this kind of entries. */
  compare(hasChecksums: boolean): TableComparison
}

export interface TableComparison {
  readonly entryBytes: number
  /** Takes whole entries. */
  update(entries: Buffer): void
  isEqual(): boolean
}

export function createFrameLedger(): FrameLedger {
  const sizes = createHash('sha256')
  const checksums = createHash('sha256')
  const scratch = Buffer.alloc(8)
  let frameCount = 0
  let hasAllChecksums = true
  return {
    get frameCount() {
      return frameCount
    },
    add({ storedBytes, plainBytes, checksum }) {
      frameCount += 1
      // A frame too large for the table's 32 bits cannot be listed; folded, it will not match.
      scratch.writeUInt32LE(storedBytes % 2 ** 32, 0)
      scratch.writeUInt32LE(plainBytes % 2 ** 32, 4)
      sizes.update(scratch)
      if (checksum === undefined) {
        hasAllChecksums = false
        return
      }
      scratch.writeUInt32LE(checksum, 0)
      checksums.update(scratch.subarray(0, 4))
    },
    compare(hasChecksums) {
      const entryBytes = hasChecksums ? 12 : 8
      const tableSizes = createHash('sha256')
      const tableChecksums = createHash('sha256')
      return {
        entryBytes,
        update(entries) {
          for (let at = 0; at < entries.length; at += entryBytes) {
            tableSizes.update(entries.subarray(at, at + 8))
            if (hasChecksums) tableChecksums.update(entries.subarray(at + 8, at + 12))
          }
        },
        isEqual() {
          if (!tableSizes.digest().equals(sizes.digest())) return false
          return !hasChecksums || !hasAllChecksums || tableChecksums.digest().equals(checksums.digest())
        },
      }
    },
  }
}
