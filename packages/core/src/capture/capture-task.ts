import type { BodyWriter } from './body-writer.ts'
import type { LiveDatabase } from './live-database.ts'
import type { CaptureBackup, CapturedBackup, CaptureProgress } from './protocol.ts'

/** What each way of capturing gets. */
export interface CaptureTask {
  readonly live: LiveDatabase
  readonly params: CaptureBackup
  readonly pageSize: number
  /** Opens the spool file, when the size of the image is known. */
  readonly startBody: (plainSizeBytes: number) => Promise<BodyWriter>
  readonly emit: (event: CaptureProgress) => void
  readonly signal: AbortSignal
}

/** What each gives: all facts, and the body that has the whole image and only needs its end. */
export type Captured = Omit<CapturedBackup, 'plain' | 'stored'> & { readonly body: BodyWriter }

/** Incompressible pages cost a few bytes per zstd block and age chunk, and a seek table entry per frame: 1 % covers all. */
export function maxStoredBytes(plainSizeBytes: number): number {
  return Math.ceil(plainSizeBytes * 1.01) + 1024 * 1024
}
