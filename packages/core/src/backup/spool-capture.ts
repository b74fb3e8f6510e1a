import type { CaptureClient } from '../capture/client.ts'
import type { CaptureBackup, CapturedBackup, CaptureProgress } from '../capture/protocol.ts'
import { type GrowingBody, growingBody } from '../spool/growing-body.ts'

type Pinned = Extract<CaptureProgress, { kind: 'pinned' }>

export interface SpooledCapture {
  /** The moment the backup stands for. Rejects when capturing fails before it. */
  readonly pinned: Promise<Pinned>
  /** The finished capture. */
  readonly captured: Promise<CapturedBackup>
  /** The spool file as a storage body, from its first byte on. Fails its readers when capturing fails. */
  readonly body: GrowingBody
}

export interface SpoolCaptureOptions {
  /** An upper bound of the body, in bytes. */
  readonly maxStoredBytes: number
  readonly onProgress?: (plainBytes: number) => void
  readonly signal: AbortSignal
}

/** Starts capturing a live database into a spool file and hands out what is known of it as it becomes known. */
export function spoolCapture(
  capture: CaptureClient,
  request: CaptureBackup,
  options: SpoolCaptureOptions,
): SpooledCapture {
  const pinned = Promise.withResolvers<Pinned>()
  const body = growingBody(request.spoolFile, {
    maxSizeBytes: options.maxStoredBytes,
    pieceSizeBytes: request.encode.pieceSizeBytes,
  })
  const captured = capture
    .backup(request, {
      signal: options.signal,
      onEvent: (event) => {
        if (event.kind === 'pinned') pinned.resolve(event)
        if (event.kind === 'progress') options.onProgress?.(event.plainBytes)
        if (event.kind === 'piece') {
          body.addPiece(event.index, event.sha256)
          body.advance(event.storedBytes)
        }
      },
    })
    .then((result) => {
      body.finish(result.stored.sizeBytes)
      return result
    })
  captured.catch((error: Error) => {
    pinned.reject(error)
    body.fail(error)
  })
  pinned.promise.catch(() => {}) // `captured` rejects with the same reason, and somebody always waits for that.
  return { pinned: pinned.promise, captured, body }
}
