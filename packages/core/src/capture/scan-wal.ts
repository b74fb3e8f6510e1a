import { createFrameScanner, type Frame, type FrameScanner } from '../wal/frame-scanner.ts'
import { frameHeaderBytes, frameOffset, type WalHeader } from '../wal/wal-header.ts'
import type { WalFile } from './wal-files.ts'

export interface ScanOptions {
  /** The last frame to look at. @default all there are */
  readonly lastFrame?: number
  readonly onFrame: (frame: Frame) => void
  readonly signal: AbortSignal
}

const SCAN_BYTES = 1024 * 1024

/** Follows the frames of a log in large reads, up to the first that is not valid. */
export async function scanWal(wal: WalFile, header: WalHeader, options: ScanOptions): Promise<FrameScanner> {
  const { lastFrame = Number.POSITIVE_INFINITY, onFrame, signal } = options
  const frameBytes = header.pageSize + frameHeaderBytes
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.floor(SCAN_BYTES / frameBytes)) * frameBytes)
  const scanner = createFrameScanner(header)
  while (scanner.frame < lastFrame) {
    // A log of gigabytes takes seconds: an abort and other calls get their turn.
    await new Promise(setImmediate)
    signal.throwIfAborted()
    const wanted = Math.min(buffer.length, (lastFrame - scanner.frame) * frameBytes)
    const count = wal.readAt(buffer.subarray(0, wanted), frameOffset(scanner.frame + 1, header.pageSize))
    const isWhole = scanner.scan(buffer.subarray(0, count), onFrame)
    if (!isWhole || count < wanted) break
  }
  return scanner
}
