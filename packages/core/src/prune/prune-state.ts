import { databaseFolder } from '../catalog/keys.ts'
import type { RetentionPolicy } from '../config/retention.ts'
import { isBackupError } from '../errors.ts'
import { bytesBody, type CallOptions, readObject, type Storage } from '../storage/storage.ts'

/** What a storage remembers about pruning: which policy was announced, and when it may delete. */
export interface PruneState {
  readonly policy: RetentionPolicy
  readonly announcedAt: Date
  readonly deletesFrom: Date
  /** What was announced before this. */
  readonly replaced?: RetentionPolicy
}

const NOTICE_MS = 24 * 3_600_000
const MAX_BYTES = 64 * 1024

/** What to do about what no rule keeps. */
export type Notice =
  /** `isContested`: this very policy was announced before the one that is there, so somebody else states another. */
  | { readonly kind: 'announce'; readonly state: PruneState; readonly isContested: boolean }
  | { readonly kind: 'wait'; readonly state: PruneState }
  | { readonly kind: 'delete'; readonly state: PruneState }

/**
 * A policy deletes for the first time a day after it said so, because a number that was misread, or an option that was
 * renamed, is noticed then and not afterwards. Another policy is announced anew.
 */
export function decideNotice(state: PruneState | undefined, policy: RetentionPolicy, now: Date): Notice {
  // Announced in the future: the clock was wrong then, or is now.
  if (state === undefined || state.announcedAt > now) {
    return { kind: 'announce', state: announced(policy, now), isContested: false }
  }
  if (!isSame(state.policy, policy)) {
    const isContested = isSame(state.replaced, policy)
    return { kind: 'announce', state: { ...announced(policy, now), replaced: state.policy }, isContested }
  }
  if (now < state.deletesFrom) return { kind: 'wait', state }
  // A day long nobody said otherwise: what was announced before is history.
  const { replaced: _, ...agreed } = state
  return { kind: 'delete', state: agreed }
}

export function announced(policy: RetentionPolicy, now: Date, noticeMs: number = NOTICE_MS): PruneState {
  return { policy, announcedAt: now, deletesFrom: new Date(now.getTime() + noticeMs) }
}

export function pruneStateKey(database: string): string {
  return `${databaseFolder(database)}prune/announced.json`
}

export async function writePruneState(
  storage: Storage,
  database: string,
  { policy, announcedAt, deletesFrom, replaced }: PruneState,
  options: CallOptions = {},
): Promise<void> {
  const state = { format: 1, announcedAt, deletesFrom, policy, replaced }
  const bytes = Buffer.from(`${JSON.stringify(state, null, 2)}\n`)
  await storage.put(pruneStateKey(database), bytesBody(bytes), { ...options, contentType: 'application/json' })
}

/** Undefined when nothing was announced; what cannot be read is announced again. */
export async function readPruneState(
  storage: Storage,
  database: string,
  options: CallOptions = {},
): Promise<PruneState | undefined> {
  try {
    const bytes = await readObject(storage, pruneStateKey(database), { ...options, maxBytes: MAX_BYTES })
    const found: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    return parse(found)
  } catch (error) {
    if (error instanceof SyntaxError || isBackupError(error, 'OBJECT_MISSING')) return undefined
    throw error
  }
}

function parse(found: unknown): PruneState | undefined {
  if (typeof found !== 'object' || found === null || !('policy' in found)) return undefined
  if (!('announcedAt' in found) || !('deletesFrom' in found)) return undefined
  const announcedAt = new Date(String(found.announcedAt))
  const deletesFrom = new Date(String(found.deletesFrom))
  if (Number.isNaN(announcedAt.getTime()) || Number.isNaN(deletesFrom.getTime())) return undefined
  // They are only ever compared, field by field.
  const replaced = 'replaced' in found ? { replaced: found.replaced as RetentionPolicy } : {}
  return { policy: found.policy as RetentionPolicy, announcedAt, deletesFrom, ...replaced }
}

function isSame(a: unknown, b: unknown): boolean {
  return canonical(a) === canonical(b)
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).sort(([x], [y]) => (x < y ? -1 : 1)))
      : each,
  )
}
