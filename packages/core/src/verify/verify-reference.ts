import type { Answer } from '../catalog/first-answering.ts'
import { listBackups } from '../catalog/list-backups.ts'
import { readManifest } from '../catalog/read-manifest.ts'
import { putVerifyRecord } from '../catalog/records.ts'
import type { FoundBackup } from '../catalog/resolve-backup.ts'
import { revealKeys } from '../config/reveal.ts'
import { type EngineContext, reserveBytesOf, runOf } from '../context.ts'
import type { VerifyOptions, VerifyResult } from '../engine-api.ts'
import { BackupError, serializeError } from '../errors.ts'
import { databaseNameOf, findBackup } from '../find-backup.ts'
import { throttled } from '../progress.ts'
import { openSpool, temporarySpoolDir } from '../spool/spool.ts'
import type { CheckLevel } from './record.ts'
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
      const manifest = await readManifest(storage, entry, { signal })
      results.push(
        await verifyFound(context, { name, storage, value: { entry, manifest } }, options.level ?? 'checked', signal),
      )
    }
  }
  return results
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
  await putVerifyRecord(storage, entry, record, { signal })
  if (record.outcome === 'ok') bus.emit('verify.succeeded', { ...event(), id, storage: name, level })
  else {
    const error = serializeError(
      new BackupError('VERIFY_FAILED', record.error?.message ?? record.messages?.[0] ?? 'It failed.'),
    )
    bus.emit('verify.failed', { ...event(), id, storage: name, level, error })
  }
  return { id, storage: name, record }
}

/** A database of this machine is proven on its own volume; one that is only in the storage, under the temporary folder. */
async function scratchDirOf({ config }: EngineContext, database: string): Promise<string> {
  const configured = config.databases.find(({ name }) => name === database)
  return openSpool(configured ?? { path: database, spoolDir: temporarySpoolDir(database) })
}
