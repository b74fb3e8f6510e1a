import { lstat, rename } from 'node:fs/promises'
import { resolve } from 'node:path'
import { backupDatabase } from '../backup/backup-database.ts'
import { storeSafetyCopy } from '../backup/store-safety-copy.ts'
import type { Answer, NamedStorage } from '../catalog/first-answering.ts'
import { findLatest } from '../catalog/list-states.ts'
import type { FoundBackup } from '../catalog/resolve-backup.ts'
import { revealKeys } from '../config/reveal.ts'
import { databaseOf, type EngineContext, reserveBytesOf, runOf } from '../context.ts'
import type { RestoreOptions, RestorePlan, RestoreResult } from '../engine-api.ts'
import { BackupError, messageOf, serializeError } from '../errors.ts'
import { findBackup } from '../find-backup.ts'
import { throttled } from '../progress.ts'
import { placeOf } from '../spool/place-of.ts'
import { defaultSpoolDir, openSpool, removeStale, temporarySpoolDir } from '../spool/spool.ts'
import { readSpoolState, type SpoolState } from '../spool/state.ts'
import { breakGlass } from './break-glass.ts'
import { expireKept } from './expire-kept.ts'
import { gatherFacts, type RestoreRequest } from './gather-facts.ts'
import { forgetRestoreFiles, recoverRestore } from './leftovers.ts'
import { planRestore } from './plan-restore.ts'
import { paceOf, type RestoreEvent, restoreDatabase } from './restore-database.ts'

const DEFAULT_LOCK_WAIT_MS = 60_000

/** What a restore would do. Reads only. */
export async function planRestoreOf(
  context: EngineContext,
  reference: string,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<RestorePlan> {
  const found = await findBackup(context, reference, options, signal)
  const plan = planRestore(await gatherFacts(await requestOf(context, found, options, signal)), context.now())
  const { warnings } = found
  return warnings.length === 0 ? plan : { ...plan, notes: [...warnings, ...plan.notes], warnings }
}

/** Restores what a reference means, with its events; what it replaced becomes a backup of tier `pre-restore`. */
export async function restoreReference(
  context: EngineContext,
  reference: string,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<RestoreResult> {
  const found = await findBackup(context, reference, options, signal)
  for (const warning of found.warnings) context.config.log?.warn({ database: found.value.manifest.database }, warning)
  const restore = async (): Promise<RestoreResult> => {
    const result = await restoreFound(context, found, options, signal)
    return { ...result, warnings: [...found.warnings, ...result.warnings] }
  }
  return context.inUse.during(found.value.manifest.id, () =>
    options.breakGlass === undefined ? restore() : breakGlass(context, found.value, options, restore),
  )
}

export interface RestoreFoundOptions extends RestoreOptions {
  /** For a restore at boot. */
  readonly mustBeMissing?: boolean
  /** A raw image of the backup that is on local disk still. */
  readonly image?: string
  /** Does with the safety copy what is to be done, instead of making it a backup; returns warnings. */
  readonly keepSafetyCopy?: (path: string) => Promise<readonly string[]>
  /** Told as soon as the database is the restored one, before what it replaced is brought away. */
  readonly onPublished?: () => Promise<void>
}

/** The same for a backup that was found already. */
export async function restoreFound(
  context: EngineContext,
  found: Answer<FoundBackup>,
  options: RestoreFoundOptions,
  signal: AbortSignal,
): Promise<RestoreResult> {
  const { bus, capture, work, config } = context
  const { manifest } = found.value
  const request = await requestOf(context, found, options, signal)
  const { target, spoolDir, mode } = request
  // What a restore replaces is the content of the database that lives there, whatever the backup was of.
  const name = context.config.databases.find((each) => each.path === target)?.name ?? manifest.database
  if (mode === 'in-place') requireEnvironment(context, found.value, options.acceptOtherEnvironment)
  const event = runOf(context, manifest.database)
  const { id } = manifest
  const report = throttled(({ phase, doneBytes, totalBytes }: Extract<RestoreEvent, { kind: 'progress' }>) =>
    bus.emit('restore.progress', { ...event(), phase, doneBytes, totalBytes }),
  )

  bus.emit('restore.started', { ...event(), id, target, storage: found.name })
  try {
    const keys = await revealKeys(config)
    const warnings: string[] = []
    let safetyBackup: string | undefined

    const keepCopy = async (
      path: string,
      state: SpoolState,
      elsewhere: RestoreFoundOptions['keepSafetyCopy'],
    ): Promise<void> => {
      if (mode === 'new-file') {
        // Nothing says which database that was, so it is no backup of ours: it stays beside the file, by its own name.
        const kept = await keepBeside(path, `${target}.before-${id}`)
        await forgetRestoreFiles(spoolDir)
        warnings.push(`What was there before is kept as ${kept}.`)
        return
      }
      if (elsewhere !== undefined) {
        warnings.push(...(await elsewhere(path)))
        return
      }
      const copy = { database: name, path, spoolDir, lineage: state, actor: options.actor }
      const stored = await storeSafetyCopy(context, copy, signal)
      warnings.push(...stored.warnings)
      safetyBackup = stored.id ?? safetyBackup
      // A copy that could not even be packed stays on record: the next restore here tries again.
      if (stored.isPacked) await forgetRestoreFiles(spoolDir)
    }

    // What a killed restore replaced is brought away first: the next one keeps a record of its own.
    const left = await locked(async () => {
      await removeStale(spoolDir)
      const lineage = await readSpoolState(spoolDir)
      return { lineage, ...(await recoverRestore(capture, { spoolDir, target }, { signal })) }
    })
    if (left.safetyCopy !== undefined) await keepCopy(left.safetyCopy, left.lineage, undefined)

    const { restored, lineage } = await locked(async () => ({
      lineage: await readSpoolState(spoolDir),
      restored: await restoreDatabase({
        ...request,
        capture,
        work,
        keys,
        ...paceOf(config.profile),
        onEvent: (progress) => {
          if (progress.kind === 'progress') report(progress.phase, progress)
        },
        ...(options.image === undefined ? {} : { image: options.image }),
        ...(options.mustBeMissing === undefined ? {} : { mustBeMissing: options.mustBeMissing }),
        ...(options.acceptDamaged === undefined ? {} : { acceptDamaged: options.acceptDamaged }),
      }),
    }))
    warnings.push(...restored.warnings)
    await options.onPublished?.()
    if (restored.safetyCopy !== undefined) await keepCopy(restored.safetyCopy.path, lineage, options.keepSafetyCopy)
    if (mode === 'in-place' && options.mustBeMissing !== true) {
      warnings.push(
        ...(await backUpRestored(context, { name, restored: id, from: found, actor: options.actor }, signal)),
      )
    }
    const { check: _check, safetyCopy: _copy, setAside, ...result } = restored
    const spare = config.databases.map(({ path }) => path)
    warnings.push(...(await expireKept({ target: result.target, spare, nowMs: context.now().getTime() })))
    for (const file of setAside) warnings.push(`${file} was in the way and has been kept under this name.`)
    bus.emit('restore.succeeded', {
      ...event(),
      id,
      target: result.target,
      how: result.how,
      durationMs: result.durationMs,
      pausedMs: result.pausedMs,
      ...(safetyBackup === undefined ? {} : { safetyCopy: safetyBackup }),
    })
    return { ...result, ...(safetyBackup === undefined ? {} : { safetyBackup }), warnings }
  } catch (error) {
    bus.emit('restore.failed', { ...event(), id, target, error: serializeError(error) })
    throw error
  }

  async function locked<T>(task: () => Promise<T>): Promise<T> {
    await capture.lock({ spoolDir, waitMs: options.lockWaitMs ?? DEFAULT_LOCK_WAIT_MS }, { signal })
    try {
      return await task()
    } finally {
      await capture.unlock({ spoolDir })
    }
  }
}

/** Gives a file a name that is still free: `name`, else `name-2`, `name-3` … */
async function keepBeside(path: string, name: string): Promise<string> {
  for (let number = 1; ; number++) {
    const kept = number === 1 ? name : `${name}-${number}`
    try {
      await lstat(kept)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      await rename(path, kept)
      return kept
    }
  }
}

async function requestOf(
  context: EngineContext,
  found: Answer<FoundBackup>,
  options: RestoreOptions,
  signal: AbortSignal,
): Promise<RestoreRequest> {
  const { config, capture } = context
  const { manifest } = found.value
  const target = options.output === undefined ? databaseOf(context, options.database).path : resolve(options.output)
  const configured = config.databases.find((each) => each.path === target)
  // A file that is replaced is copied first, beside it; a new one needs only a lock.
  const ownDir = options.overwrite ? defaultSpoolDir(target) : temporarySpoolDir(target)
  const spoolDir = await openSpool(configured ?? { path: target, spoolDir: ownDir })
  return {
    capture,
    from: { name: found.name, storage: found.storage },
    manifest,
    target,
    // The path of a configured database is a live one, however it was named.
    mode: configured === undefined ? 'new-file' : 'in-place',
    overwrite: options.overwrite ?? false,
    spoolDir,
    reserveBytes: await reserveBytesOf(config, (await placeOf(target)).folder),
    spoolReserveBytes: await reserveBytesOf(config, spoolDir),
    environment: config.environment,
    signal,
  }
}

/** @throws BackupError `ENVIRONMENT_MISMATCH` */
function requireEnvironment(
  { config }: EngineContext,
  { manifest }: FoundBackup,
  isAccepted: boolean | undefined,
): void {
  const theirs = manifest.lineage.environment
  if (isAccepted || theirs === undefined || config.environment === undefined || theirs === config.environment) return
  throw new BackupError(
    'ENVIRONMENT_MISMATCH',
    `Backup ${manifest.id} is of the environment "${theirs}", and this is "${config.environment}".`,
    { hint: 'Restore it to a new file with --output, or say that you mean it (acceptOtherEnvironment).' },
  )
}

/**
 * Backs up what an older backup was restored to, at once: until there is a newer one, `latest` would mean the state that
 * was just given up, and a fresh machine would bring it back.
 */
async function backUpRestored(
  context: EngineContext,
  restore: {
    readonly name: string
    readonly restored: string
    readonly from: NamedStorage
    readonly actor: string | undefined
  },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { name, restored, from, actor } = restore
  try {
    const latest = await findLatest(from.storage, name, { signal })
    if (latest === undefined || latest.id === restored) return []
    const options = { tier: 'manual', trigger: 'restore', ...(actor === undefined ? {} : { actor }) } as const
    return (await backupDatabase(context, name, options, signal)).warnings
  } catch (error) {
    const why = `what was restored could not be backed up at once: ${messageOf(error)}`
    return [`The newest backup is still the state before this restore, and a fresh machine would bring it back; ${why}`]
  }
}
