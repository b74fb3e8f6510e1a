import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { chooseEncoding } from '../backup/choose-encoding.ts'
import type { Answer } from '../catalog/first-answering.ts'
import { readRecords } from '../catalog/records.ts'
import type { FoundBackup } from '../catalog/resolve-backup.ts'
import type { ResolvedDatabase } from '../config/config.ts'
import { revealKeys } from '../config/reveal.ts'
import { databaseOf, type EngineContext, reserveBytesOf } from '../context.ts'
import type { CompareOptions, Comparison } from '../engine-api.ts'
import { findBackup } from '../find-backup.ts'
import { openSpool } from '../spool/spool.ts'
import { readInRanges } from '../storage/read-in-ranges.ts'
import { inspectTarget } from './gather-facts.ts'

/** What a restore in place would change. The live database is copied by the capture process; the copies are compared in another. */
export async function compareBackup(
  context: EngineContext,
  reference: string,
  options: CompareOptions,
  signal: AbortSignal,
): Promise<Comparison> {
  const database = databaseOf(context, options.database)
  const found = await findBackup(context, reference, options, signal)
  const { manifest } = found.value
  const target = await inspectTarget(context.capture, database.path, signal)
  const about = { id: manifest.id, storage: found.name, database: database.name, at: context.now().toISOString() }
  const isThere = target.state === 'database'
  const totalBytes = manifest.plain.sizeBytes + (isThere ? target.sizeBytes : 0)
  if (options.maxBytes !== undefined && totalBytes > options.maxBytes) {
    return { ...about, basis: 'recorded', isSame: false, tables: await recordedTables(found, signal), objects: [] }
  }
  const spoolDir = await openSpool(database)
  const nowFile = join(spoolDir, `compare-${randomBytes(6).toString('hex')}.now.tmp`)
  const afterFile = join(spoolDir, `compare-${randomBytes(6).toString('hex')}.after.tmp`)
  try {
    await context.inUse.during(manifest.id, () => unpack(context, found, spoolDir, afterFile, signal))
    // Last, so that it is as fresh as it can be.
    if (isThere) await copyLive(context, database, spoolDir, nowFile, signal)
    const at = context.now().toISOString()
    const files = { after: afterFile, ...(isThere ? { now: nowFile } : {}) }
    return { ...about, at, basis: 'counted', ...(await context.work.diff(files, { signal })) }
  } finally {
    await Promise.all([rm(nowFile, { force: true }), rm(afterFile, { force: true })])
  }
}

/** Rows as the newest proof of the backup counted them. */
async function recordedTables(
  { storage, value: { entry } }: Answer<FoundBackup>,
  signal: AbortSignal,
): Promise<Comparison['tables']> {
  const records = await readRecords(storage, entry, { signal })
  const counted = records.findLast(({ tables }) => tables !== undefined)?.tables ?? {}
  return Object.entries(counted)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, after]) => ({ name, now: null, after, schema: 'unknown', columnsGoing: [], columnsComing: [] }))
}

async function unpack(
  { config, work }: EngineContext,
  { storage, value: { manifest } }: Answer<FoundBackup>,
  spoolDir: string,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const { partsInFlight, framesInFlight } = config.profile
  const { body, plain, stored, compression, encryption } = manifest
  const keys = await revealKeys(config)
  await work.decode(
    readInRanges(storage, body, { sizeBytes: stored.sizeBytes, inFlight: partsInFlight, signal }),
    {
      file,
      reserveBytes: await reserveBytesOf(config, spoolDir),
      options: {
        compression,
        encrypted: encryption !== undefined,
        ...(keys === undefined ? {} : { keys }),
        expect: { plain, stored },
        inFlight: framesInFlight,
      },
    },
    { signal },
  )
}

async function copyLive(
  { capture, config }: EngineContext,
  { path }: ResolvedDatabase,
  spoolDir: string,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const { profile, maxPinMs, maxBlockMs } = config
  const encode = chooseEncoding({ profile, compression: 'none', level: 0, maxStoredBytes: 0 })
  const reserveBytes = await reserveBytesOf(config, spoolDir)
  await capture.backup({ path, spoolFile: file, encode, maxPinMs, maxBlockMs, reserveBytes }, { signal })
}
