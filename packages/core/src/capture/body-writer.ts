import type { EncodeResult } from '../codec/codec.ts'
import { createEncoder } from '../codec/create-encoder.ts'
import type { CaptureBackup, CaptureProgress } from './protocol.ts'
import { createSpoolFile } from './spool-file.ts'

/** Packs a database image into the spool file and tells how far it is. */
export interface BodyWriter {
  write(chunk: Uint8Array): Promise<void>
  /** Until the whole body is in the file. Whoever needs it after a power cut syncs it. */
  finish(): Promise<EncodeResult>
  /** After a failure: nothing is left behind. */
  discard(): Promise<void>
}

const PROGRESS_EVERY_MS = 100

/** @throws BackupError `SPOOL_NO_SPACE`, `SPOOL_FAILED`, `CONFIG_INVALID` */
export async function createBodyWriter(
  params: CaptureBackup,
  plainSizeBytes: number,
  emit: (event: CaptureProgress) => void,
): Promise<BodyWriter> {
  const { encode, reserveBytes } = params
  // How well pages compress is not known yet; 20 times is more than anyone should hope for.
  const expectedBytes = encode.compression === 'none' ? plainSizeBytes : Math.ceil(plainSizeBytes / 20)
  const file = await createSpoolFile(params.spoolFile, { reserveBytes, expectedBytes })
  let plainBytes = 0
  let toldAt = 0
  const encoder = await createEncoder(encode, {
    write: (chunk) => file.append(chunk),
    onPiece: (index, sha256) => {
      const storedBytes = Math.min((index + 1) * encode.pieceSizeBytes, file.sizeBytes)
      emit({ kind: 'piece', index, sha256, storedBytes })
    },
  }).catch(async (error: unknown) => {
    await file.discard()
    throw error
  })
  return {
    async write(chunk) {
      await encoder.write(chunk)
      plainBytes += chunk.length
      if (performance.now() - toldAt < PROGRESS_EVERY_MS) return
      toldAt = performance.now()
      emit({ kind: 'progress', plainBytes, storedBytes: file.sizeBytes })
    },
    async finish() {
      const result = await encoder.end()
      emit({ kind: 'progress', plainBytes, storedBytes: file.sizeBytes })
      // Not synced: the app's own commits on this volume would wait behind it, and once it is stored it is removed, mostly
      // before the kernel has written a byte of it.
      await file.close()
      return result
    },
    async discard() {
      encoder.destroy()
      await file.discard()
    },
  }
}
