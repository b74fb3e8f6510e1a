import type { Inspection } from '../capture/protocol.ts'
import type { Manifest } from '../catalog/manifest.ts'
import type { RestorePlan } from '../engine-api.ts'
import type { ErrorCode } from '../errors.ts'
import { formatSize } from '../spool/space.ts'

/** What lies where the restored database should go. */
export type TargetState = Inspection | { readonly state: 'unreadable'; readonly reason: string }

export interface Volume {
  readonly device: number
  readonly freeBytes: number
}

export interface RestoreFacts {
  readonly manifest: Manifest
  /** Name of the storage it comes from. */
  readonly storage: string
  /** Links followed. */
  readonly target: string
  readonly mode: 'new-file' | 'in-place'
  /** A new file may replace one that exists. */
  readonly overwrite: boolean
  readonly found: TargetState
  readonly targetVolume: Volume
  readonly spoolVolume: Volume
  /** The unpacked backup is on the volume of the target already. @default false */
  readonly isUnpacked?: boolean
  /** What must stay free on the volume of the target, and on that of the spool. */
  readonly reserveBytes: number
  readonly spoolReserveBytes: number
  /** The environment this engine runs in. */
  readonly environment?: string | undefined
}

export interface DecidedRestore extends RestorePlan {
  /** Whether what is there is copied first. */
  readonly keepsSafetyCopy: boolean
  /** Why it will not be done: what is thrown then. */
  readonly refusal?: { readonly code: ErrorCode; readonly message: string; readonly hint: string }
}

// A pessimistic disk: writers wait for what is written and for what is compared.
const ONLINE_BYTES_PER_MS = 200_000

/** What a restore would do, what it needs and what will be lost. Pure. */
export function planRestore(facts: RestoreFacts, now: Date): DecidedRestore {
  const { manifest, storage, target, targetVolume } = facts
  const how = decideHow(facts)
  const keepsSafetyCopy = facts.found.state === 'database'
  const needs = neededBytes(facts, how, keepsSafetyCopy)
  const refusal = refuse(facts, needs)
  return {
    id: manifest.id,
    storage,
    manifest,
    target,
    how,
    needsBytes: needs.targetBytes,
    freeBytes: targetVolume.freeBytes,
    ...(facts.found.state === 'database' ? { targetSizeBytes: facts.found.sizeBytes } : {}),
    ...pauseOf(facts, how),
    notes: notesOf(facts, how, keepsSafetyCopy, now),
    keepsSafetyCopy,
    ...(refusal === undefined ? {} : { refusal }),
  }
}

function decideHow({ mode, found, manifest }: RestoreFacts): RestorePlan['how'] {
  if (found.state === 'missing') return mode === 'new-file' ? 'new-file' : 'link'
  if (found.state === 'unreadable') return 'link'
  if (found.state === 'empty') return mode === 'new-file' ? 'new-file' : 'online'
  return found.journalMode === 'wal' && found.pageSize !== manifest.source.pageSize ? 'replace' : 'online'
}

function pauseOf({ manifest, found }: RestoreFacts, how: RestorePlan['how']): Pick<RestorePlan, 'pauseMs'> {
  if (how !== 'online' || found.state !== 'database') return {}
  return { pauseMs: Math.ceil((manifest.plain.sizeBytes + found.sizeBytes) / ONLINE_BYTES_PER_MS) }
}

interface Needs {
  readonly targetBytes: number
  readonly spoolBytes: number
}

function neededBytes(
  { manifest, found, isUnpacked = false }: RestoreFacts,
  how: RestorePlan['how'],
  keepsSafetyCopy: boolean,
): Needs {
  const imageBytes = manifest.plain.sizeBytes
  const fetchedBytes = isUnpacked ? 0 : imageBytes
  if (found.state !== 'database' || how === 'link') return { targetBytes: fetchedBytes, spoolBytes: 0 }
  const growthBytes = Math.max(0, imageBytes - found.sizeBytes)
  // Until the commit the new pages are in the -wal, or the old ones in the -journal; a little more for their headers.
  const logBytes = found.journalMode === 'wal' && how === 'online' ? imageBytes : found.sizeBytes
  return {
    targetBytes: Math.ceil(fetchedBytes + growthBytes + logBytes * 1.05),
    spoolBytes: keepsSafetyCopy ? found.sizeBytes : 0,
  }
}

function refuse(facts: RestoreFacts, needs: Needs): DecidedRestore['refusal'] {
  const { mode, overwrite, found, target, targetVolume, spoolVolume, reserveBytes, spoolReserveBytes } = facts
  if (mode === 'new-file' && !overwrite && (found.state === 'database' || found.state === 'unreadable')) {
    return {
      code: 'RESTORE_TARGET_EXISTS',
      message: `${target} is there already.`,
      hint: 'Name another file, or replace it with --overwrite: a copy of it stays beside it.',
    }
  }
  const isOneVolume = targetVolume.device === spoolVolume.device
  const onTarget = needs.targetBytes + (isOneVolume ? needs.spoolBytes : 0)
  if (onTarget + reserveBytes > targetVolume.freeBytes)
    return noSpace('The volume of the target', onTarget, targetVolume, reserveBytes)
  if (!isOneVolume && needs.spoolBytes + spoolReserveBytes > spoolVolume.freeBytes) {
    return noSpace('The volume of the spool', needs.spoolBytes, spoolVolume, spoolReserveBytes)
  }
  return undefined
}

function noSpace(
  what: string,
  needsBytes: number,
  { freeBytes }: Volume,
  reserveBytes: number,
): DecidedRestore['refusal'] {
  return {
    code: 'SPOOL_NO_SPACE',
    message: `${what} has ${formatSize(freeBytes)} free. The restore needs ${formatSize(needsBytes)}, and ${formatSize(reserveBytes)} must stay free for the app.`,
    hint: 'Nothing was changed. Free some space, or restore to a file on another volume with --output.',
  }
}

function notesOf(facts: RestoreFacts, how: RestorePlan['how'], keepsSafetyCopy: boolean, now: Date): readonly string[] {
  const { manifest, found, target, mode } = facts
  const notes: string[] = []
  const ageMs = now.getTime() - Date.parse(manifest.created)
  if (mode === 'in-place' && found.state === 'database') {
    notes.push(
      `The backup was made ${formatAge(ageMs)}: what was written to ${target} since then will be gone from it.`,
    )
    if (keepsSafetyCopy)
      notes.push(
        `What is there now (${formatSize(found.sizeBytes)}) is copied first and kept as a backup of tier pre-restore.`,
      )
  }
  if (mode === 'new-file' && found.state === 'database' && facts.overwrite) {
    notes.push(`The database in ${target} (${formatSize(found.sizeBytes)}) is replaced. A copy of it stays beside it.`)
  }
  if (how === 'online' && found.state === 'database') {
    const seconds = Math.ceil((pauseOf(facts, how).pauseMs ?? 0) / 1000)
    notes.push(
      found.journalMode === 'wal'
        ? `Apps may stay connected: readers keep what they see, writers wait for about ${seconds} s.`
        : `Apps may stay connected: readers and writers wait for about ${seconds} s (WAL mode would spare the readers).`,
    )
  }
  if (how === 'replace' && found.state === 'database') {
    notes.push(
      `Its pages have ${manifest.source.pageSize} bytes, those of ${target} ${found.pageSize}: every process that has it open must be stopped first.`,
    )
  }
  if (found.state === 'unreadable') notes.push(`What lies at ${target} is set aside: ${found.reason}`)
  const { environment } = manifest.lineage
  if (environment !== undefined && facts.environment !== undefined && environment !== facts.environment) {
    notes.push(`It was made in the environment "${environment}"; this is "${facts.environment}".`)
  }
  return notes
}

function formatAge(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 120) return minutes === 1 ? '1 minute ago' : `${minutes} minutes ago`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} hours ago` : `${Math.round(hours / 24)} days ago`
}
