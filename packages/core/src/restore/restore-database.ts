import { randomBytes } from 'node:crypto'
import { constants, copyFile, open, rename } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import type { CaptureClient } from '../capture/client.ts'
import type { Published, PublishStep } from '../capture/protocol.ts'
import type { DecryptionKeys } from '../codec/codec.ts'
import type { Profile } from '../config/profile.ts'
import type { RestoreResult } from '../engine-api.ts'
import { BackupError, isBackupError } from '../errors.ts'
import { makeDirDurably, tempNameFor } from '../spool/durable.ts'
import { readSpoolState, writeSpoolState } from '../spool/state.ts'
import { readBody } from '../storage/read-body.ts'
import type { WorkClient } from '../work/client.ts'
import type { CheckReport } from '../work/protocol.ts'
import { checkRestored } from './check-restored.ts'
import { gatherFacts, type RestoreRequest } from './gather-facts.ts'
import { forgetRestoreFiles, removeTemp, writeRestoreFiles } from './leftovers.ts'
import { type DecidedRestore, planRestore } from './plan-restore.ts'
import { dateBack } from './remember-restored.ts'

export interface RestoreDatabase extends RestoreRequest {
  readonly capture: Pick<CaptureClient, 'inspect' | 'publish'>
  readonly work: WorkClient
  readonly keys?: DecryptionKeys | undefined
  /** Refuse with `RESTORE_TARGET_EXISTS` when a database is there: for a restore at boot. @default false */
  readonly mustBeMissing?: boolean
  /** Restore though SQLite's checks find damage that was there at the source. @default false */
  readonly acceptDamaged?: boolean
  /** How long to wait for writers before giving up, in ms. @default 30000 */
  readonly busyTimeoutMs?: number
  /** Ranges fetched, and frames decompressed, at the same time. @default { ranges: 4, frames: 2 } */
  readonly inFlight?: { readonly ranges: number; readonly frames: number }
  /** Let a second process hash the image while the first has SQLite check it: faster, for the memory of one more. @default false */
  readonly isParallel?: boolean
  readonly onEvent?: (event: RestoreEvent) => void
  readonly now?: () => Date
}

/** How a restore uses a machine, by its profile. */
export function paceOf(profile: Profile): Pick<RestoreDatabase, 'inFlight' | 'isParallel'> {
  return {
    inFlight: { ranges: profile.partsInFlight, frames: profile.framesInFlight },
    isParallel: profile.name === 'default' && availableParallelism() > 1,
  }
}

/** Where a restore is; each is a moment at which a crash leaves the old or the new database, whole. */
export type RestoreStep = 'planned' | 'fetching' | 'decoded' | 'checked' | 'published' | PublishStep

export type RestoreEvent =
  | { readonly kind: 'step'; readonly step: RestoreStep }
  | {
      readonly kind: 'progress'
      readonly phase: 'fetch' | 'check' | 'publish'
      readonly doneBytes: number
      readonly totalBytes: number
    }

export interface RestoredDatabase extends Omit<RestoreResult, 'safetyBackup'> {
  readonly check: CheckReport
  /** A raw copy of what was replaced, in the spool: to become a backup of tier `pre-restore`, and then to be removed. */
  readonly safetyCopy?: { readonly path: string; readonly sizeBytes: number }
  /** Files that were in the way, under their new names. */
  readonly setAside: readonly string[]
}

/**
 * Brings one backup to its place: fetch, unpack beside the target, check, publish. Nothing is published before every
 * promise of the manifest has held. The caller holds the spool's lock and has called {@link recoverRestore};
 * when there is a safety copy, it calls {@link forgetRestoreFiles} once that has become a backup.
 *
 * @throws BackupError `RESTORE_TARGET_EXISTS`, `RESTORE_TARGET_BUSY`, `RESTORE_DAMAGED`, `RESTORE_PAGE_SIZE`,
 * `SPOOL_NO_SPACE`, `BODY_…`, `DECRYPTION_FAILED`, `IDENTITY_MISSING`, `DATABASE_…`, `ABORTED`, and what the storage throws
 */
export async function restoreDatabase(options: RestoreDatabase): Promise<RestoredDatabase> {
  const startedAt = performance.now()
  const { spoolDir, onEvent, mode, manifest, now = () => new Date() } = options
  await makeDirDurably(dirname(options.target), 0o755)
  const plan = planRestore(await gatherFacts(options), now())
  if (plan.refusal !== undefined) throw new BackupError(plan.refusal.code, plan.refusal.message, plan.refusal)
  if (options.mustBeMissing && plan.keepsSafetyCopy) {
    throw new BackupError('RESTORE_TARGET_EXISTS', `There is a database at ${plan.target} already.`)
  }
  onEvent?.({ kind: 'step', step: 'planned' })

  const temp = tempNameFor(plan.target)
  const safetyCopy = plan.keepsSafetyCopy
    ? join(spoolDir, `pre-restore-${randomBytes(6).toString('hex')}.db`)
    : undefined
  await writeRestoreFiles(spoolDir, { temp, ...(safetyCopy === undefined ? {} : { safetyCopy }) })
  let published: Published | undefined
  try {
    const isMoved = options.image !== undefined && (await moveImage(options.image, temp))
    if (!isMoved) await fetchImage(options, temp)
    onEvent?.({ kind: 'step', step: 'decoded' })
    const check = await checkRestored(temp, {
      ...options,
      isHashed: isMoved || !hashesBeside(options),
      // An image that becomes the database itself has to be on disk first.
      isSynced: plan.how === 'online' || plan.how === 'replace',
    })
    onEvent?.({ kind: 'step', step: 'checked' })
    if (mode === 'in-place') await dateBack(temp, manifest)
    published = await publishImage(options, plan, temp, safetyCopy)
    if (mode === 'in-place') {
      const { writer } = await readSpoolState(spoolDir)
      await writeSpoolState(spoolDir, { writer, parent: manifest.id })
    }
    // With a safety copy the record stays until that has become a backup: see `forgetRestoreFiles`.
    if (published.safetyCopy === undefined) await forgetRestoreFiles(spoolDir)
    onEvent?.({ kind: 'step', step: 'published' })
    return {
      id: manifest.id,
      storage: options.from.name,
      target: plan.target,
      how: plan.how === 'new-file' ? 'new-file' : published.how,
      sizeBytes: manifest.plain.sizeBytes,
      durationMs: performance.now() - startedAt,
      pausedMs: published.pausedMs,
      warnings: warningsOf(check),
      check,
      ...(published.safetyCopy === undefined ? {} : { safetyCopy: published.safetyCopy }),
      setAside: published.setAside,
    }
  } catch (error) {
    await removeTemp(temp)
    // A process that died may have left a safety copy behind, and the new database: `recoverRestore` looks after them.
    // And what was published has its safety copy on record.
    if (published === undefined && !isBackupError(error, 'CAPTURE_DIED')) await forgetRestoreFiles(spoolDir)
    throw withWayOut(error, options)
  }
}

/** What the codec finds wrong with a body says nothing of the backup it belongs to. */
function withWayOut(error: unknown, { manifest, from }: RestoreDatabase): unknown {
  if (!isBackupError(error) || !(error.code.startsWith('BODY_') || error.code === 'OBJECT_MISSING')) return error
  return new BackupError(error.code, error.message, {
    hint: `Nothing was changed. The backup ${manifest.id} is damaged in ${from.name}: restore an older one, or the same from another storage.`,
    cause: error.cause,
  })
}

/** False when it is gone. */
async function moveImage(image: string, temp: string): Promise<boolean> {
  try {
    await rename(image, temp)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return false
    if (code !== 'EXDEV') throw error
  }
  await copyFile(image, temp, constants.COPYFILE_EXCL)
  const copy = await open(temp, 'r+')
  await copy.sync().finally(() => copy.close())
  return true
}

async function fetchImage(options: RestoreDatabase, temp: string): Promise<void> {
  const { from, manifest, work, keys, reserveBytes, inFlight = { ranges: 4, frames: 2 }, signal, onEvent } = options
  const body = { sizeBytes: manifest.stored.sizeBytes, inFlight: inFlight.ranges, signal }
  onEvent?.({ kind: 'step', step: 'fetching' })
  const totalBytes = manifest.plain.sizeBytes
  const params = {
    file: temp,
    reserveBytes,
    options: {
      compression: manifest.compression,
      encrypted: manifest.encryption !== undefined,
      ...(keys === undefined ? {} : { keys }),
      expect: { plain: manifest.plain, stored: manifest.stored },
      inFlight: inFlight.frames,
      leavesPlainDigest: hashesBeside(options),
    },
  }
  await readBody(from.storage, manifest.body, body, (source) =>
    work.decode(source, params, {
      signal,
      onEvent: ({ plainBytes }) => onEvent?.({ kind: 'progress', phase: 'fetch', doneBytes: plainBytes, totalBytes }),
    }),
  )
}

/** An unpacked body is its image, and has been hashed on the way. */
function hashesBeside({ isParallel = false, manifest }: RestoreDatabase): boolean {
  return isParallel && (manifest.compression !== 'none' || manifest.encryption !== undefined)
}

async function publishImage(
  options: RestoreDatabase,
  plan: DecidedRestore,
  temp: string,
  safetyCopy: string | undefined,
): Promise<Published> {
  const { capture, spoolDir, mode, overwrite = false, busyTimeoutMs = 30_000, signal, onEvent } = options
  const totalBytes = options.manifest.plain.sizeBytes
  return capture.publish(
    {
      temp,
      target: plan.target,
      spoolDir,
      ...(safetyCopy === undefined ? {} : { safetyCopy }),
      // What was not there when it was planned has no safety copy, so it must not be replaced.
      mustBeMissing: safetyCopy === undefined && !(mode === 'new-file' && overwrite),
      // The safety copy goes to the spool.
      reserveBytes: options.spoolReserveBytes ?? options.reserveBytes,
      busyTimeoutMs,
    },
    {
      signal,
      onEvent(event) {
        if (event.kind === 'step') return onEvent?.(event)
        const doneBytes = Math.round((event.pages / event.totalPages) * totalBytes)
        onEvent?.({ kind: 'progress', phase: 'publish', doneBytes, totalBytes })
      },
    },
  )
}

function warningsOf(check: CheckReport): readonly string[] {
  const warnings: string[] = []
  if (check.outcome === 'damaged')
    warnings.push(`SQLite finds the restored database damaged: ${check.messages[0] ?? ''}`)
  if (check.outcome === 'unknown') {
    warnings.push(`SQLite could not check all of it without the app's own functions: ${check.messages[0] ?? ''}`)
  }
  if (check.foreignKeyViolations > 0) {
    warnings.push(`${check.foreignKeyViolations} rows refer to rows that are not there. They may always have.`)
  }
  return warnings
}
