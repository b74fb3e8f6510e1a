import { stat } from 'node:fs/promises'
import type { CaptureClient } from '../capture/client.ts'
import type { NamedStorage } from '../catalog/first-answering.ts'
import { listDatabases } from '../catalog/list-databases.ts'
import type { Manifest } from '../catalog/manifest.ts'
import { aheadInWords, compareStates, newestStates, type State } from '../catalog/newest-states.ts'
import { readManifest } from '../catalog/read-manifest.ts'
import { BackupError, type ErrorCode, isBackupError, messageOf } from '../errors.ts'
import { makeDirDurably } from '../spool/durable.ts'
import { removeStale } from '../spool/spool.ts'
import type { CallOptions } from '../storage/storage.ts'
import { expireKept } from './expire-kept.ts'
import { hasInterruptedRestore, recoverRestore } from './leftovers.ts'
import { rememberRestored } from './remember-restored.ts'
import { type RestoreDatabase, type RestoredDatabase, restoreDatabase } from './restore-database.ts'
import { sayWaiting } from './say-waiting.ts'

export interface RestoreIfMissing
  extends Omit<
    RestoreDatabase,
    'capture' | 'from' | 'manifest' | 'mode' | 'overwrite' | 'mustBeMissing' | 'acceptDamaged'
  > {
  readonly capture: Pick<CaptureClient, 'inspect' | 'publish' | 'recoverPublish' | 'lock' | 'unlock'>
  /** The database's name in the storages. */
  readonly database: string
  readonly storages: readonly NamedStorage[]
  /** Files that stay whatever their name: all databases of the configuration. */
  readonly spare?: readonly string[]
  /** When every storage answered and none has a backup. @default 'start-empty' */
  readonly onMissingBackup?: 'start-empty' | 'fail'
  /** How long to wait for another process that restores, in ms. @default 600000 */
  readonly lockWaitMs?: number
  /** A storage has not said what it holds for `sayWaitingMs`, and again each time: the app cannot start, and somebody waits. */
  readonly onWaiting?: (storage: string) => void
  /** @default 10000 */
  readonly sayWaitingMs?: number
  /** A newer backup could not be restored and an older one is tried: to be said loudly. */
  readonly onFallBack?: (failed: { readonly id: string; readonly storage: string; readonly error: BackupError }) => void
}

export interface IfMissingResult {
  readonly outcome: 'present' | 'restored' | 'started-empty' | 'no-storage'
  readonly restored?: RestoredDatabase
  readonly warnings: readonly string[]
}

/** How many backups are tried before giving up: each may be a whole download. */
const MAX_TRIED = 10

/**
 * What a start does before the app opens its database: nothing when it is there, else the newest backup that passes.
 * Of several processes one restores and the others wait and find it present.
 * @throws BackupError when the database is missing and it is not certain that there is no backup: what the storage
 * throws; `BACKUP_NOT_FOUND` with `onMissingBackup: 'fail'`; `RESTORE_DAMAGED` when none of the newest passes; `LOCKED`;
 * `ENVIRONMENT_MISMATCH` when the newest is of another environment
 */
export async function restoreIfMissing(options: RestoreIfMissing): Promise<IfMissingResult> {
  const { target, spare = [], now = () => new Date() } = options
  const result = await bringBack(options)
  const expired = await expireKept({ target, spare, nowMs: now().getTime() })
  return { ...result, warnings: [...result.warnings, ...expired] }
}

async function bringBack(options: RestoreIfMissing): Promise<IfMissingResult> {
  const { capture, target, spoolDir, lockWaitMs = 600_000, signal } = options
  if (!(await hasInterruptedRestore(spoolDir)) && (await isPresent(options))) return present
  if (options.storages.length === 0) {
    return {
      outcome: 'no-storage',
      warnings: [`${target} is missing, and no storage is configured to restore it from.`],
    }
  }
  await makeDirDurably(spoolDir)
  await capture.lock({ spoolDir, waitMs: lockWaitMs }, { signal })
  try {
    await removeStale(spoolDir)
    // What it replaced stays where it is: to make it a backup takes time, and the app is waiting.
    const { safetyCopy } = await recoverRestore(capture, { spoolDir, target }, { signal })
    const result = (await isPresent(options)) ? present : await restoreNewest(options)
    if (safetyCopy === undefined) return result
    const kept = `A restore was interrupted. What it replaced is kept as ${safetyCopy}; the next backup takes it along.`
    return { ...result, warnings: [kept, ...result.warnings] }
  } finally {
    await capture.unlock({ spoolDir })
  }
}

const present: IfMissingResult = { outcome: 'present', warnings: [] }

/** A file with bytes in it: whether they are a database is for the app to say, and a look into it is not for us here. */
async function isPresent({ target }: RestoreIfMissing): Promise<boolean> {
  try {
    return (await stat(target)).size > 0
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw new BackupError('DATABASE_UNREADABLE', `${target} cannot be looked at: ${messageOf(error)}`, { cause: error })
  }
}

async function restoreNewest(options: RestoreIfMissing): Promise<IfMissingResult> {
  const { candidates, unanswered, warnings } = await findCandidates(options)
  if (candidates.length === 0) {
    // Perhaps the one storage that did not answer holds all of it: starting empty would be the end of it.
    if (unanswered !== undefined) throw unanswered
    return startEmpty(options)
  }
  const failures: string[] = []
  for (const candidate of candidates) {
    try {
      const restored = await restoreCandidate(options, candidate)
      const inTheWay = restored.setAside.map((file) => `${file} was in the way and has been kept under this name.`)
      const said = [...warnings, ...aheadInWords(candidate), ...failures]
      return { outcome: 'restored', restored, warnings: [...said, ...restored.warnings, ...inTheWay] }
    } catch (error) {
      if (isBackupError(error, 'RESTORE_TARGET_EXISTS')) return present
      const { id } = candidate.entry
      const isElsewhere = candidates.some((other) => other !== candidate && other.entry.id === id)
      if (!isBackupError(error) || !(isBad(error.code) || (isElsewhere && isUnanswered(error.code)))) throw error
      options.onFallBack?.({ id, storage: candidate.from.name, error })
      failures.push(`The backup ${id} in ${candidate.from.name} could not be restored: ${error.message}`)
    }
  }
  throw new BackupError(
    'RESTORE_DAMAGED',
    `None of the newest backups of "${options.database}" could be restored. ${failures.join(' ')}`,
    {
      hint: 'Restore one by hand: `sqlite-backup list`, then `sqlite-backup restore <id> --accept-damaged`.',
    },
  )
}

interface Candidate extends State {
  readonly from: NamedStorage
}

interface Candidates {
  /** Newest first, see {@link newestStates}; the same backup in several storages in their order. */
  readonly candidates: readonly Candidate[]
  /** What a storage said that could not be asked. */
  readonly unanswered: unknown
  readonly warnings: readonly string[]
}

async function findCandidates(options: RestoreIfMissing): Promise<Candidates> {
  const { storages, database, now, signal, onWaiting, sayWaitingMs = 10_000 } = options
  const asked = await Promise.allSettled(
    storages.map((from) =>
      sayWaiting(newestOf(from, database, { now: now?.(), signal }), sayWaitingMs, () => onWaiting?.(from.name)),
    ),
  )
  const candidates = asked.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  // A stable sort: of the same moment, the storage named first goes first.
  candidates.sort(compareStates)
  const errors = asked.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []))
  return {
    candidates,
    unanswered: errors[0],
    warnings: asked.flatMap((answer, i) =>
      answer.status === 'rejected'
        ? [`${storages[i]?.name} did not answer and may hold a newer backup: ${String(answer.reason?.message)}`]
        : [],
    ),
  }
}

async function newestOf(
  from: NamedStorage,
  database: string,
  options: CallOptions & { readonly now: Date | undefined },
): Promise<Candidate[]> {
  const states = await newestStates(from.storage, database, options)
  return states.slice(0, MAX_TRIED).map((state) => ({ from, ...state }))
}

async function restoreCandidate(options: RestoreIfMissing, { from, entry }: Candidate): Promise<RestoredDatabase> {
  const { signal } = options
  const manifest = await readManifest(from.storage, entry, { signal })
  requireEnvironment(manifest, from.name, options.environment)
  const restored = await restoreDatabase({ ...options, from, manifest, mode: 'in-place', mustBeMissing: true })
  if (restored.how !== 'linked') return restored
  try {
    await rememberRestored({ ...options, manifest, signal })
    return restored
  } catch (error) {
    signal?.throwIfAborted()
    // The database is back all the same.
    return { ...restored, warnings: [...restored.warnings, `It could not be looked at again: ${messageOf(error)}`] }
  }
}

/** Nobody is there to be asked, and every backup after it would be refused. @throws BackupError `ENVIRONMENT_MISMATCH` */
function requireEnvironment({ id, lineage }: Manifest, storage: string, own: string | undefined): void {
  const theirs = lineage.environment
  if (theirs === undefined || own === undefined || theirs === own) return
  throw new BackupError(
    'ENVIRONMENT_MISMATCH',
    `The database is missing, and the newest backup of it, ${id} in ${storage}, is of the environment "${theirs}"; this is "${own}".`,
    {
      hint: `Give each environment a prefix or bucket of its own. To start with that state all the same, restore it once by hand: \`sqlite-backup restore ${id} --accept-other-environment\`.`,
    },
  )
}

/** The backup itself is at fault, so an older one may do. Not so a lost key or a full disk. */
function isBad(code: ErrorCode): boolean {
  return (
    code.startsWith('BODY_') || code === 'RESTORE_DAMAGED' || code === 'MANIFEST_INVALID' || code === 'OBJECT_MISSING'
  )
}

function isUnanswered(code: ErrorCode): boolean {
  return code === 'UNAVAILABLE' || code === 'STORAGE_DENIED' || code === 'STORAGE_FAILED'
}

async function startEmpty({
  storages,
  database,
  onMissingBackup,
  target,
  signal,
}: RestoreIfMissing): Promise<IfMissingResult> {
  const others = await Promise.all(
    storages.map(async ({ name, storage }) => {
      const names = await listDatabases(storage, { signal })
      return names.length === 0 ? `${name} holds no backups at all.` : `${name} holds backups of ${names.join(', ')}.`
    }),
  )
  const message = `There is no backup of "${database}". ${others.join(' ')}`
  if (onMissingBackup === 'fail') {
    throw new BackupError('BACKUP_NOT_FOUND', message, {
      hint: 'Is this the right storage and prefix? Without onMissingBackup: "fail" the app would start with an empty database.',
    })
  }
  return {
    outcome: 'started-empty',
    warnings: [`${target} is missing and the app starts with an empty database. ${message}`],
  }
}
