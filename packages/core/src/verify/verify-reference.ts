import type { Answer } from '../catalog/first-answering.ts'
import type { BackupEntry } from '../catalog/keys.ts'
import { listBackups } from '../catalog/list-backups.ts'
import { readManifest } from '../catalog/read-manifest.ts'
import { putVerifyRecord } from '../catalog/records.ts'
import type { FoundBackup } from '../catalog/resolve-backup.ts'
import { revealKeys } from '../config/reveal.ts'
import { type EngineContext, reserveBytesOf, runOf } from '../context.ts'
import type { VerifyOptions, VerifyResult } from '../engine-api.ts'
import { BackupError, isBackupError, messageOf, serializeError } from '../errors.ts'
import { databaseNameOf, findBackup } from '../find-backup.ts'
import { throttled } from '../progress.ts'
import { openSpool, temporarySpoolDir } from '../spool/spool.ts'
import { throwIfAborted } from '../storage/abort.ts'
import type { CheckLevel, VerifyRecord } from './record.ts'
import { verifyBackup } from './verify-backup.ts'

/** Verifies one backup and keeps what was found beside its manifest. */
export async function verifyReference(
  context: EngineContext,
  reference: string,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<VerifyResult> {
  return verifyFound(context, await findBackup(context, reference, options, signal), options.level ?? 'checked', signal)
}

/** Verifies every backup of a database in every storage asked for, newest first. A bad one does not stop the rest. */
export async function verifyAll(
  context: EngineContext,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<readonly VerifyResult[]> {
  const database = databaseNameOf(context, options.database)
  const storages = context.storages.filter(({ name }) => options.from === undefined || name === options.from)
  if (storages.length === 0) {
    throw new BackupError(
      'USAGE',
      options.from === undefined
        ? 'No storage is configured.'
        : `There is no storage "${options.from}" in the configuration.`,
    )
  }
  const results: VerifyResult[] = []
  for (const { name, storage } of storages) {
    for await (const entry of listBackups(storage, { database, signal })) {
      const result = await verifyEntry(context, { name, storage, value: entry }, options.level ?? 'checked', signal)
      if (result !== undefined) results.push(result)
    }
  }
  return results
}

/** A damaged manifest is a failure like any other. Returns undefined when the backup was pruned since it was listed. */
async function verifyEntry(
  context: EngineContext,
  { name, storage, value: entry }: Answer<BackupEntry>,
  level: CheckLevel,
  signal: AbortSignal,
): Promise<VerifyResult | undefined> {
  const from = { name, storage }
  try {
    const manifest = await readManifest(storage, entry, { signal })
    return await verifyFound(context, { ...from, value: { entry, manifest } }, level, signal)
  } catch (error) {
    // What verifying finds is a result: only the manifest throws these.
    if (isBackupError(error, 'OBJECT_MISSING')) return undefined
    if (!isBackupError(error, 'MANIFEST_INVALID')) throw error
    const { code, message } = error
    const at = context.now().toISOString()
    const record = { level, outcome: 'failed', at, durationMs: 0, error: { code, message } } as const
    return conclude(context, { ...from, value: entry }, record, runOf(context, entry.database)(), signal)
  }
}

/** Verifies a backup that was found. A failure is a result, and an event. */
export async function verifyFound(
  context: EngineContext,
  { name, storage, value: { entry, manifest } }: Answer<FoundBackup>,
  level: CheckLevel,
  signal: AbortSignal,
): Promise<VerifyResult> {
  const { bus, config, inUse, work } = context
  const { id } = manifest
  const event = runOf(context, manifest.database)
  const { sizeBytes: totalBytes } = level === 'proven' ? manifest.plain : manifest.stored
  const report = throttled((progress: { readonly doneBytes: number; readonly totalBytes: number }) =>
    bus.emit('verify.progress', { ...event(), id, ...progress }),
  )
  const scratchDir = await scratchDirOf(context, manifest.database)
  const keys = await revealKeys(config)
  const reserveBytes = await reserveBytesOf(config, scratchDir)
  const record = await inUse.during(id, () =>
    verifyBackup({
      storage,
      manifest,
      level,
      work,
      keys,
      scratchDir,
      reserveBytes,
      inFlight: { ranges: config.profile.partsInFlight, frames: config.profile.framesInFlight },
      now: context.now,
      signal,
      onProgress: (doneBytes) => report('', { doneBytes, totalBytes }),
    }),
  )
  return conclude(context, { name, storage, value: entry }, record, event(), signal)
}

/** Tells what was found, then keeps it. A key that may only read must not cost the finding. */
async function conclude(
  { bus, config }: EngineContext,
  { name, storage, value: entry }: Answer<BackupEntry>,
  record: VerifyRecord,
  event: ReturnType<ReturnType<typeof runOf>>,
  signal: AbortSignal,
): Promise<VerifyResult> {
  const { id } = entry
  const { level } = record
  if (record.outcome === 'ok') bus.emit('verify.succeeded', { ...event, id, storage: name, level })
  else {
    const error = serializeError(
      new BackupError('VERIFY_FAILED', record.error?.message ?? record.messages?.[0] ?? 'It failed.'),
    )
    bus.emit('verify.failed', { ...event, id, storage: name, level, error })
  }
  try {
    await putVerifyRecord(storage, entry, record, { signal })
    return { id, storage: name, record }
  } catch (error) {
    throwIfAborted(signal)
    const warning = `What was found could not be kept in ${name}: ${messageOf(error)}`
    config.log?.warn({ database: entry.database, storage: name, backup: id }, warning)
    return { id, storage: name, record, warnings: [warning] }
  }
}

/** A database of this machine is proven on its own volume; one that is only in the storage, under the temporary folder. */
async function scratchDirOf({ config }: EngineContext, database: string): Promise<string> {
  const configured = config.databases.find(({ name }) => name === database)
  return openSpool(configured ?? { path: database, spoolDir: temporarySpoolDir(database) })
}
