import { randomBytes } from 'node:crypto'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CaptureClient } from '../capture/client.ts'
import type { CapturedBackup, Inspection } from '../capture/protocol.ts'
import { backupId } from '../catalog/backup-id.ts'
import type { NamedStorage } from '../catalog/first-answering.ts'
import { bodyKey } from '../catalog/keys.ts'
import type { BeforeMigration, Manifest, Tier, Trigger } from '../catalog/manifest.ts'
import type { Compression, Encryption } from '../codec/codec.ts'
import type { Profile } from '../config/profile.ts'
import type { BackupResult, StorageOutcome } from '../engine-api.ts'
import { BackupError, isBackupError, messageOf, serializeError } from '../errors.ts'
import { readMigrationTags } from '../spool/migration-tags.ts'
import { removeStale } from '../spool/spool.ts'
import { ensureSpoolState, madeForKey, type SpoolState, withMade, writeSpoolState } from '../spool/state.ts'
import { orAborted } from '../storage/abort.ts'
import { buildManifest } from './build-manifest.ts'
import { chooseEncoding } from './choose-encoding.ts'
import { findUnchanged } from './find-unchanged.ts'
import { keepPending } from './pending.ts'
import { spoolCapture } from './spool-capture.ts'
import { storeBackup } from './store-backup.ts'

export interface RunBackup {
  readonly database: string
  readonly path: string
  readonly spoolDir: string
  readonly storages: readonly NamedStorage[]
  /** `all`: fails when one storage could not take it. `any`: one is enough. */
  readonly require: 'all' | 'any'
  /** A function when it depends on what the storages hold. */
  readonly tier: Tier | ((at: Date) => Promise<Tier>)
  readonly name?: string
  readonly trigger: Trigger
  readonly actor?: string
  readonly job?: string
  readonly environment?: string
  readonly appVersion?: string
  readonly engine: Manifest['engine']
  readonly compression: Compression
  readonly level: number
  readonly encryption?: Encryption
  readonly profile: Profile
  readonly maxPinMs: number
  readonly maxBlockMs: number
  readonly reserveBytes: number
  readonly lockWaitMs: number
  /** Do nothing when every storage holds a good backup of the database as it is. */
  readonly ifChanged: boolean
  /** For a copy that is not the live database: what it grew from. The spool's state is left as it is. */
  readonly copyOf?: SpoolState
  /** A raw image that was captured of the live database a moment ago: it is backed up instead of capturing once more. */
  readonly image?: RawImage
  readonly beforeMigration?: BeforeMigration
  readonly signal?: AbortSignal
  /** When it fires, what is spooled and not yet stored stays in the spool for a later run: the run ends without it. */
  readonly storeUntil?: AbortSignal
  /** Asked before anything is stored there. What it throws keeps the backup out of that storage for good. */
  readonly mayStore?: (storage: NamedStorage) => Promise<void>
  readonly onEvent?: (event: RunBackupEvent) => void
}

export interface RawImage extends Pick<CapturedBackup, 'at' | 'fingerprint'> {
  readonly path: string
}

export type RunBackupEvent =
  | { readonly kind: 'capturing'; readonly doneBytes: number; readonly totalBytes: number }
  | { readonly kind: 'uploading'; readonly storage: string; readonly doneBytes: number; readonly totalBytes: number }
  | { readonly kind: 'storage-failed'; readonly storage: string; readonly error: BackupError }
  | { readonly kind: 'kept'; readonly id: string; readonly storages: readonly string[] }

/**
 * Captures one image into one spool file and stores it everywhere, uploading while the file still grows. Holds the
 * lock of the database from the first look to the last manifest.
 * @throws BackupError `LOCKED`, `DATABASE_…`, `SPOOL_NO_SPACE`, `BACKUP_WOULD_BLOCK`, `BACKUP_FAILED`, `ABORTED`
 */
export async function runBackup(run: RunBackup, capture: CaptureClient): Promise<BackupResult> {
  const began = performance.now()
  const { spoolDir, signal } = run
  await capture.lock({ spoolDir, waitMs: run.lockWaitMs }, { signal })
  try {
    await removeStale(spoolDir)
    const path = run.image?.path ?? run.path
    const inspection = await capture.inspect({ path }, { signal })
    requireDatabase(path, inspection)
    const state = run.copyOf ?? (await ensureSpoolState(spoolDir))
    const same =
      run.ifChanged && inspection.fingerprint !== undefined
        ? await findUnchanged(run, state, inspection.fingerprint)
        : undefined
    if (same !== undefined) {
      const { id, storages } = same
      const lacking = storages.filter((outcome) => !outcome.ok)
      requireEnough(run, id, storages)
      return {
        ...nothing,
        outcome: 'unchanged',
        id,
        storages,
        durationMs: performance.now() - began,
        warnings: lacking.map(warningOf),
      }
    }
    const tier = typeof run.tier === 'function' ? await run.tier(new Date()) : run.tier
    const { manifest, outcomes, pinnedMs, blockedMs, fingerprint } = await captureAndStore(
      run,
      capture,
      tier,
      inspection,
      state,
    )
    const failed = outcomes.filter((outcome) => !outcome.ok)
    const stored = outcomes.length - failed.length
    if (run.copyOf === undefined) {
      const there = run.storages.filter((_, index) => outcomes[index]?.ok || isOwed(outcomes[index]))
      const keys = there.map((each) => madeForKey(run.database, each))
      const madeFor = withMade(state, keys, { id: manifest.id, fingerprint })
      const lastBackupMs = Math.round(performance.now() - began)
      // Only once it is somewhere is it true that the present content has a backup.
      const next =
        stored > 0
          ? { writer: state.writer, parent: manifest.id, fingerprint, lastBackupMs, madeFor }
          : { ...state, madeFor }
      await writeSpoolState(spoolDir, next)
    }
    requireEnough(run, manifest.id, outcomes)
    return {
      outcome: 'stored',
      id: manifest.id,
      manifest,
      storages: outcomes,
      durationMs: performance.now() - began,
      pinnedMs,
      blockedMs,
      warnings: failed.map(warningOf),
    }
  } finally {
    await capture.unlock({ spoolDir })
  }
}

const nothing = { pinnedMs: 0, blockedMs: 0 } as const

/** @throws BackupError `BACKUP_FAILED` */
function requireEnough(run: RunBackup, id: string, outcomes: readonly StorageOutcome[]): void {
  const failed = outcomes.filter((outcome) => !outcome.ok)
  const stored = outcomes.length - failed.length
  if (stored === 0 || (run.require === 'all' && failed.length > 0)) throw notEverywhere(id, failed, stored)
}

function warningOf({ storage, error }: StorageOutcome): string {
  return `${storage} does not have it: ${error?.message}`
}

async function captureAndStore(
  run: RunBackup,
  capture: CaptureClient,
  tier: Tier,
  inspection: Inspection,
  state: SpoolState,
) {
  const random = randomBytes(8)
  const spoolFile = join(run.spoolDir, `${random.toString('hex')}.body`)
  const maxStoredBytes = worstCaseBytes(inspection.sizeBytes)
  // One controller for capture and uploads: when one side fails for good, the other must not linger.
  const stop = new AbortController()
  const signal = run.signal === undefined ? stop.signal : AbortSignal.any([run.signal, stop.signal])
  try {
    const spooled = spoolCapture(
      capture,
      {
        path: run.image?.path ?? run.path,
        spoolFile,
        encode: chooseEncoding({ ...run, maxStoredBytes }),
        maxPinMs: run.maxPinMs,
        maxBlockMs: run.maxBlockMs,
        reserveBytes: run.reserveBytes,
      },
      {
        maxStoredBytes,
        signal,
        onProgress: (doneBytes) => run.onEvent?.({ kind: 'capturing', doneBytes, totalBytes: inspection.sizeBytes }),
      },
    )
    let hasNoBody = false
    spooled.captured.catch(() => {
      hasNoBody = true
    })
    const tags = await readMigrationTags(run.spoolDir)
    const created = new Date(run.image?.at ?? (await spooled.pinned).at)
    const id = backupId(created, random)
    const key = bodyKey({
      database: run.database,
      tier,
      created,
      id,
      compression: run.compression,
      encrypted: run.encryption !== undefined,
    })
    const lineage = {
      writer: state.writer,
      ...(run.environment === undefined ? {} : { environment: run.environment }),
      ...(state.parent === undefined ? {} : { parent: state.parent }),
    }
    const manifest = spooled.captured.then(({ source, plain, stored }) => {
      const { migration, ...facts } = source
      const tag = migration === undefined ? undefined : (tags[migration] ?? migration)
      const captured = {
        at: created.toISOString(),
        source: tag === undefined ? facts : { ...facts, migration: tag },
        plain,
        stored,
      }
      return buildManifest({ ...run, tier, id, key, lineage, captured })
    })
    manifest.catch(() => {}) // Awaited below; the uploads that wait for it may be gone by then.
    let totalBytes = maxStoredBytes
    const storing = run.storeUntil === undefined ? signal : AbortSignal.any([signal, run.storeUntil])
    const upload = async ({ name, storage }: NamedStorage): Promise<StorageOutcome> => {
      const store = async () => {
        await run.mayStore?.({ name, storage })
        const onProgress = (doneBytes: number): void =>
          run.onEvent?.({ kind: 'uploading', storage: name, doneBytes, totalBytes })
        return storeBackup({ storage, key, body: spooled.body, manifest, signal: storing, onProgress })
      }
      try {
        // A storage that hangs may not listen to its signal either.
        return { storage: name, ok: true, ...(await orAborted(store(), storing)) }
      } catch (error) {
        const failure = run.storeUntil?.aborted ? notInTime(name, error) : asBackupError(error, name)
        // What ended with the capture, or was called off, is no fault of the storage.
        if (!hasNoBody && !signal.aborted) run.onEvent?.({ kind: 'storage-failed', storage: name, error: failure })
        return { storage: name, ok: false, error: serializeError(failure) }
      }
    }
    const uploads = run.storages.map(upload)
    const captured = await spooled.captured
    totalBytes = captured.stored.sizeBytes
    const outcomes = await Promise.all(uploads)
    run.signal?.throwIfAborted()
    const missing = outcomes.filter(isOwed).map((outcome) => outcome.storage)
    if (missing.length > 0) {
      await keepPending(run.spoolDir, { manifest: await manifest, storages: missing, file: spoolFile })
      run.onEvent?.({ kind: 'kept', id, storages: missing })
    }
    return {
      manifest: await manifest,
      outcomes,
      pinnedMs: captured.pinnedMs,
      blockedMs: captured.blockedMs,
      fingerprint: run.image?.fingerprint ?? captured.fingerprint,
    }
  } catch (error) {
    if (run.signal?.aborted) {
      throw new BackupError('ABORTED', 'The backup was aborted. Nothing half-done is visible anywhere.', {
        cause: error,
      })
    }
    throw error
  } finally {
    stop.abort()
    await rm(spoolFile, { force: true })
  }
}

/** Before a spool is made for a file that is a typing error. @throws BackupError `DATABASE_MISSING` */
export async function requireFile(path: string): Promise<void> {
  try {
    await stat(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw missing(path)
    // Whatever else is the matter, the capture process says it better.
  }
}

/** @throws BackupError `DATABASE_MISSING`, `DATABASE_EMPTY` */
export function requireDatabase(path: string, inspection: Inspection): void {
  if (inspection.state === 'missing') {
    throw missing(path)
  }
  if (inspection.state === 'empty') {
    throw new BackupError('DATABASE_EMPTY', `${path} has 0 bytes: there is nothing to back up yet.`, {
      hint: 'SQLite writes the file with the first table. The next run will find it.',
    })
  }
}

function missing(path: string): BackupError {
  return new BackupError('DATABASE_MISSING', `There is no database at ${path}.`, {
    hint: 'Check the path. If the app creates it later, the next run will find it.',
  })
}

// Incompressible pages cost a few bytes per zstd block and age chunk, and a seek table entry per frame: 1 % covers all.
function worstCaseBytes(plainBytes: number): number {
  return Math.ceil(plainBytes * 1.01) + 1024 * 1024
}

/** Of another environment: it must not go there later either. */
function isOwed(outcome: StorageOutcome | undefined): boolean {
  return outcome?.ok === false && outcome.error?.code !== 'ENVIRONMENT_MISMATCH'
}

function notInTime(storage: string, cause: unknown): BackupError {
  return new BackupError('UNAVAILABLE', `${storage} had not taken the backup when the time was up.`, { cause })
}

function asBackupError(error: unknown, storage: string): BackupError {
  if (isBackupError(error)) return error
  return new BackupError('STORAGE_FAILED', `${storage}: ${messageOf(error)}`, { cause: error })
}

function notEverywhere(id: string, failed: readonly StorageOutcome[], stored: number): BackupError {
  const reasons = failed.map((outcome) => `${outcome.storage}: ${outcome.error?.message}`).join(' · ')
  const first = failed[0]?.error
  return new BackupError(
    'BACKUP_FAILED',
    `Backup ${id} did not reach ${failed.map((each) => each.storage).join(', ')}. ${reasons}`,
    {
      hint:
        first?.hint ??
        (stored > 0
          ? 'The other storages have it. It waits in the spool for the rest.'
          : 'It waits in the spool and goes up with the next run.'),
    },
  )
}
