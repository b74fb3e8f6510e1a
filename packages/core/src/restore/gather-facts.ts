import { stat } from 'node:fs/promises'
import type { CaptureClient } from '../capture/client.ts'
import type { NamedStorage } from '../catalog/first-answering.ts'
import type { Manifest } from '../catalog/manifest.ts'
import { isBackupError } from '../errors.ts'
import { existingFolder, placeOf } from '../spool/place-of.ts'
import { spaceOf } from '../spool/space.ts'
import type { RestoreFacts, TargetState, Volume } from './plan-restore.ts'

export interface RestoreRequest {
  readonly capture: Pick<CaptureClient, 'inspect'>
  readonly from: NamedStorage
  readonly manifest: Manifest
  /** The database file, or the new file. */
  readonly target: string
  readonly mode: 'new-file' | 'in-place'
  /** A new file may replace one that exists. @default false */
  readonly overwrite?: boolean
  readonly spoolDir: string
  /** Bytes that must stay free on the volume of the target. */
  readonly reserveBytes: number
  /** The same on the volume of the spool. @default reserveBytes */
  readonly spoolReserveBytes?: number
  /** A raw image of the backup that is on local disk still: moved into place instead of fetching the body. */
  readonly image?: string | undefined
  readonly environment?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Everything a plan depends on. Reads only. */
export async function gatherFacts(request: RestoreRequest): Promise<RestoreFacts> {
  const { capture, from, manifest, mode, overwrite = false, spoolDir, reserveBytes, environment, signal } = request
  const { target, folder } = await placeOf(request.target)
  const targetVolume = await volumeOf(folder)
  return {
    manifest,
    storage: from.name,
    target,
    mode,
    overwrite,
    found: await inspectTarget(capture, target, signal),
    targetVolume,
    spoolVolume: await volumeOf(await existingFolder(spoolDir)),
    isUnpacked: request.image !== undefined && (await deviceOf(request.image)) === targetVolume.device,
    reserveBytes,
    spoolReserveBytes: request.spoolReserveBytes ?? reserveBytes,
    environment,
  }
}

/** What lies there; something that is no database is a state, not an error. */
export async function inspectTarget(
  capture: Pick<CaptureClient, 'inspect'>,
  path: string,
  signal: AbortSignal | undefined,
): Promise<TargetState> {
  try {
    return await capture.inspect({ path }, { signal })
  } catch (error) {
    if (isBackupError(error, 'DATABASE_INVALID') || isBackupError(error, 'DATABASE_ENCRYPTED')) {
      return { state: 'unreadable', reason: error.message }
    }
    throw error
  }
}

/** Undefined when it is gone. */
async function deviceOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).dev
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function volumeOf(dir: string): Promise<Volume> {
  const [{ dev }, { freeBytes }] = await Promise.all([stat(dir), spaceOf(dir)])
  return { device: dev, freeBytes }
}
