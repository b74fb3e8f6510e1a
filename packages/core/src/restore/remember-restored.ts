import { stat, utimes } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { CaptureClient } from '../capture/client.ts'
import type { Manifest } from '../catalog/manifest.ts'
import { readSpoolState, writeSpoolState } from '../spool/state.ts'

/** Dates an image back to the moment its backup was made: whoever writes into it from now on changes that. */
export async function dateBack(image: string, { created }: Pick<Manifest, 'created'>): Promise<void> {
  await utimes(image, new Date(), new Date(created))
}

export interface RememberRestored {
  readonly capture: Pick<CaptureClient, 'inspect'>
  readonly manifest: Pick<Manifest, 'created'>
  readonly target: string
  readonly spoolDir: string
  readonly signal: AbortSignal | undefined
}

// A fingerprint of a file whose timestamps are younger proves nothing (see capture/quiet.ts).
const STILL_AFTER_MS = 60

/**
 * Notes that a database which was just restored is as its backup, so that an app which only reads it leaves no new backup,
 * and no fork, behind. Without proof it notes nothing: better one backup too many than one too few. The caller holds
 * the spool's lock.
 */
export async function rememberRestored(options: RememberRestored): Promise<void> {
  const { capture, manifest, target, spoolDir, signal } = options
  await delay(STILL_AFTER_MS, undefined, { signal })
  const { fingerprint, walSizeBytes } = await capture.inspect({ path: target }, { signal })
  const { mtimeMs } = await stat(target)
  // Another process that wrote since it has its name has left a log, or has changed the file.
  const isAsDated = Math.abs(mtimeMs - Date.parse(manifest.created)) < 1
  if (fingerprint === undefined || walSizeBytes > 0 || !isAsDated) return
  await writeSpoolState(spoolDir, { ...(await readSpoolState(spoolDir)), fingerprint })
}
