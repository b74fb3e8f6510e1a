import { createHash } from 'node:crypto'

/** Something a person did, or tried to do, through the admin. */
export interface AuditAction {
  readonly actor: string
  /** Like `backup.requested`, `restore.approved`, `download.started`. */
  readonly action: string
  /** The backup it was about. */
  readonly backup?: string
  /** What else should be known, in plain JSON: never a secret. */
  readonly detail?: Readonly<Record<string, string | number | boolean>>
}

/** An action as it stands in the log: chained to the one before, so that an edit or a removal is seen. */
export interface AuditEntry extends AuditAction {
  readonly format: 1
  /** Which process wrote it. */
  readonly writer: string
  /** 1, 2, 3 … per writer. */
  readonly seq: number
  /** ISO 8601, UTC. */
  readonly at: string
  readonly database: string
  /** SHA-256 of the entry before, as it was stored; absent in a writer's first. */
  readonly previous?: string
  /** In a writer's first entry: where the chains of other writers ended when it began. */
  readonly heads?: readonly AuditHead[]
}

/** The end of a chain. */
export interface AuditHead {
  readonly writer: string
  readonly seq: number
  readonly sha256: string
}

export function encodeEntry(entry: AuditEntry): Buffer {
  return Buffer.from(`${JSON.stringify(entry, null, 2)}\n`)
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** The entry in these bytes; undefined when they are none. */
export function parseEntry(bytes: Uint8Array): AuditEntry | undefined {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const entry = value as Partial<AuditEntry>
  const texts = [entry.actor, entry.action, entry.writer, entry.at, entry.database]
  if (entry.format !== 1 || texts.some((text) => typeof text !== 'string') || !Number.isSafeInteger(entry.seq)) {
    return undefined
  }
  return isWellFormed(entry) ? (entry as AuditEntry) : undefined
}

/** Whoever may write into the storage should not be able to break who reads it. */
function isWellFormed({ backup, previous, detail = {}, heads = [] }: Partial<AuditEntry>): boolean {
  if (![backup, previous].every((text) => text === undefined || typeof text === 'string')) return false
  if (typeof detail !== 'object' || detail === null || !Array.isArray(heads)) return false
  const isPlain = Object.values(detail).every((value) => ['string', 'number', 'boolean'].includes(typeof value))
  return isPlain && heads.every(isHead)
}

function isHead(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { writer, seq, sha256 } = value as Partial<AuditHead>
  // As many as there may be: a number that is made up must not become a list as long.
  return typeof writer === 'string' && typeof sha256 === 'string' && Number.isSafeInteger(seq) && Number(seq) < 1e8
}
