import { randomBytes } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Manifest } from '../catalog/manifest.ts'
import type { DecryptionKeys } from '../codec/codec.ts'
import { BackupError, type ErrorCode, isBackupError } from '../errors.ts'
import { makeDirDurably } from '../spool/durable.ts'
import { readBody } from '../storage/read-body.ts'
import type { BodySource, Storage } from '../storage/storage.ts'
import type { WorkClient } from '../work/client.ts'
import type { CheckLevel, VerifyRecord } from './record.ts'

export interface VerifyBackup {
  readonly storage: Storage
  readonly manifest: Manifest
  readonly level: CheckLevel
  readonly work: WorkClient
  /** For `proven`: what opens an encrypted body. */
  readonly keys?: DecryptionKeys | undefined
  /** For `proven`: where the database is restored to and removed again. Needs its whole size. */
  readonly scratchDir: string
  /** Bytes that must stay free on that volume. */
  readonly reserveBytes: number
  /** Ranges fetched, and frames decompressed, at the same time. @default { ranges: 4, frames: 2 } */
  readonly inFlight?: { readonly ranges: number; readonly frames: number }
  readonly now: () => Date
  readonly signal?: AbortSignal | undefined
  /** Bytes of the stored body (`checked`) or of the database (`proven`) done so far. */
  readonly onProgress?: ((doneBytes: number) => void) | undefined
}

/**
 * Proves one backup to a level: `stored` asks the storage for its size, `checked` reads and hashes its bytes, `proven`
 * restores it to a scratch place, runs SQLite's full checks and counts its rows. A bad backup is a result, not an error.
 * @throws BackupError when nothing could be found out: what the storage throws, `IDENTITY_MISSING`, `SPOOL_NO_SPACE`, `ABORTED`
 */
export async function verifyBackup(options: VerifyBackup): Promise<VerifyRecord> {
  const startedAt = performance.now()
  const at = options.now().toISOString()
  const findings = await findOut(options)
  return { level: options.level, at, durationMs: performance.now() - startedAt, ...findings }
}

type Findings = Omit<VerifyRecord, 'level' | 'at' | 'durationMs'>

async function findOut(options: VerifyBackup): Promise<Findings> {
  try {
    await checkStored(options)
    if (options.level === 'checked') await checkBytes(options)
    return options.level === 'proven' ? await prove(options) : { outcome: 'ok' }
  } catch (error) {
    if (!isBackupError(error) || !isVerdict(error.code)) throw error
    return { outcome: 'failed', error: { code: error.code, message: error.message } }
  }
}

/** The error is about the backup. All others say that it could not be looked at. */
function isVerdict(code: ErrorCode): boolean {
  return code.startsWith('BODY_') || code === 'OBJECT_MISSING' || code === 'DECRYPTION_FAILED'
}

async function checkStored({ storage, manifest, signal }: VerifyBackup): Promise<void> {
  const { sizeBytes } = await storage.head(manifest.body, { signal })
  if (sizeBytes === manifest.stored.sizeBytes) return
  throw new BackupError(
    sizeBytes < manifest.stored.sizeBytes ? 'BODY_TRUNCATED' : 'BODY_TOO_LONG',
    `${manifest.body} has ${sizeBytes} bytes; its manifest promises ${manifest.stored.sizeBytes}.`,
  )
}

async function checkBytes(options: VerifyBackup): Promise<void> {
  const { manifest, work, signal, onProgress } = options
  await bodyOf(options, (body) =>
    work.hash(
      body,
      { expect: manifest.stored },
      { signal, givesWay: true, onEvent: ({ storedBytes }) => onProgress?.(storedBytes) },
    ),
  )
}

async function prove(options: VerifyBackup): Promise<Findings> {
  const { manifest, work, keys, scratchDir, reserveBytes, inFlight, signal, onProgress } = options
  await makeDirDurably(scratchDir)
  await removeForgotten(scratchDir, options.now())
  const file = join(scratchDir, `${SCRATCH_PREFIX}${randomBytes(6).toString('hex')}.db`)
  try {
    const params = {
      file,
      reserveBytes,
      options: {
        compression: manifest.compression,
        encrypted: manifest.encryption !== undefined,
        ...(keys === undefined ? {} : { keys }),
        expect: { plain: manifest.plain, stored: manifest.stored },
        inFlight: inFlight?.frames ?? 2,
      },
    }
    await bodyOf(options, (body) =>
      work.decode(body, params, { signal, givesWay: true, onEvent: ({ plainBytes }) => onProgress?.(plainBytes) }),
    )
    const report = await work.check({ file, depth: 'full', rowCounts: true }, { signal, givesWay: true })
    return {
      // What only the app's own functions could check is no fault of the backup.
      outcome: report.outcome === 'damaged' ? 'failed' : 'ok',
      integrity: report.outcome,
      ...(report.messages.length === 0 ? {} : { messages: report.messages }),
      foreignKeyViolations: report.foreignKeyViolations,
      ...(report.tables === undefined ? {} : { tables: report.tables }),
    }
  } finally {
    await rm(file, { force: true })
  }
}

function bodyOf<T>(
  { storage, manifest, inFlight, signal }: VerifyBackup,
  read: (body: BodySource) => Promise<T>,
): Promise<T> {
  const options = {
    sizeBytes: manifest.stored.sizeBytes,
    signal,
    ...(inFlight === undefined ? {} : { inFlight: inFlight.ranges }),
  }
  return readBody(storage, manifest.body, options, read)
}

const SCRATCH_PREFIX = 'verify-'
const FORGOTTEN_AFTER_MS = 24 * 3600_000

/** Scratch databases of verifications that were killed. A day old, so that none that runs is hit. */
async function removeForgotten(scratchDir: string, now: Date): Promise<void> {
  for (const name of await readdir(scratchDir)) {
    if (!name.startsWith(SCRATCH_PREFIX)) continue
    const file = join(scratchDir, name)
    const stats = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (stats !== undefined && now.getTime() - stats.mtimeMs > FORGOTTEN_AFTER_MS) await rm(file, { force: true })
  }
}
