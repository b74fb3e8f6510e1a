import type { SourceFacts } from '../catalog/manifest.ts'
import type { EncodeOptions, EncodeResult } from '../codec/codec.ts'

/** What the engine may ask of the capture process. The only process that opens a live database, its -wal or -shm. */
export type CaptureMethods = {
  hello: { params: undefined; result: { readonly sqlite: string; readonly node: string; readonly pid: number } }
  /** Takes the exclusive lock on `<spoolDir>/lock.db`; the kernel frees it when this process dies. `LOCKED` after `waitMs`. */
  lock: { params: { readonly spoolDir: string; readonly waitMs: number }; result: undefined }
  unlock: { params: { readonly spoolDir: string }; result: undefined }
  /** Raw look at the files, without opening them through SQLite. */
  inspect: { params: { readonly path: string }; result: Inspection }
  /** Captures one consistent image of a live database into one encoded spool file. */
  backup: { params: CaptureBackup; result: CapturedBackup; event: CaptureProgress }
  /** Puts a checked image where the live database is (or should be). */
  publish: { params: Publish; result: Published; event: PublishProgress }
  /** Finishes or undoes what a killed `publish` left behind. To be called with the lock held, before anyone looks at the target. */
  recoverPublish: {
    params: { readonly spoolDir: string; readonly target: string }
    result: { readonly recovered?: string }
  }
}

export interface Inspection {
  readonly state: 'missing' | 'empty' | 'database'
  readonly journalMode?: 'wal' | 'rollback'
  readonly pageSize?: number
  /** Size of the database file plus what its -wal adds, an estimate. */
  readonly sizeBytes: number
  readonly walSizeBytes: number
  /** Equal fingerprints mean equal content; different ones mean nothing. */
  readonly fingerprint?: string
  /** Device of the file or, when missing, of its folder. */
  readonly device: number
}

export interface CaptureBackup {
  readonly path: string
  readonly spoolFile: string
  readonly encode: EncodeOptions
  /** Longest the WAL may stay pinned while we compress, in ms; a longer estimate copies raw first. */
  readonly maxPinMs: number
  /** Longest a rollback-journal database may be locked against writers, in ms. */
  readonly maxBlockMs: number
  /** Bytes that must stay free on the spool's volume. */
  readonly reserveBytes: number
}

export type CaptureProgress =
  /** Pinned: the moment this backup stands for. */
  | {
      readonly kind: 'pinned'
      readonly at: string
      readonly source: SourceFacts
      readonly plainSizeBytes: number
      readonly maxStoredBytes: number
    }
  | { readonly kind: 'progress'; readonly plainBytes: number; readonly storedBytes: number }
  /** Piece `index` of the spool file is complete and will not change. */
  | { readonly kind: 'piece'; readonly index: number; readonly sha256: Uint8Array; readonly storedBytes: number }

const MUCH_BYTES = 16 * 1024 * 1024

/**
 * Whether the capture process works behind the app from here on: no writer waits for it any more, and there is so much left to
 * pack that it is worth the process, which cannot come back and must be followed by another.
 */
export function isSteppingBack(event: CaptureProgress): boolean {
  return event.kind === 'pinned' && event.plainSizeBytes >= MUCH_BYTES
}

export interface CapturedBackup extends EncodeResult {
  readonly source: SourceFacts
  /** ISO time of the pin. */
  readonly at: string
  /** How long the WAL was pinned (WAL), or writers were kept out (rollback journal), in ms. */
  readonly pinnedMs: number
  readonly blockedMs: number
  readonly fingerprint: string
}

export interface Publish {
  /** A complete, checked image beside the target. It is consumed. */
  readonly temp: string
  readonly target: string
  readonly spoolDir: string
  /** Where to put a raw copy of what is replaced; absent when nothing is there. */
  readonly safetyCopy?: string
  /** Refuse with `RESTORE_TARGET_EXISTS` when a database is there. @default false */
  readonly mustBeMissing?: boolean
  readonly reserveBytes: number
  /** Longest to wait for writers, in ms. */
  readonly busyTimeoutMs: number
}

/** Where a publish is; each is a moment at which a crash leaves the old or the new database, whole. */
export type PublishStep =
  | 'looked'
  | 'set-aside'
  | 'linked'
  | 'safety-draft'
  | 'intent'
  | 'journal-mode'
  | 'locked'
  | 'safety-copy'
  | 'first-page'
  | 'middle'
  | 'committed'

export type PublishProgress =
  | { readonly kind: 'step'; readonly step: PublishStep }
  | { readonly kind: 'progress'; readonly pages: number; readonly totalPages: number }

export interface Published {
  /** `linked`: there was no usable database; `online`: through SQLite's Backup API into the live file; `replaced`: another page size, nobody had it open. */
  readonly how: 'linked' | 'online' | 'replaced'
  /** How long writers had to wait, in ms. */
  readonly pausedMs: number
  /** Whether `safetyCopy` was written. */
  readonly safetyCopy?: { readonly path: string; readonly sizeBytes: number }
  /** Files that were in the way and were moved aside. */
  readonly setAside: readonly string[]
}
