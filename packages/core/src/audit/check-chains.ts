import { type AuditEntry, type AuditHead, parseEntry, sha256Of } from './audit-entry.ts'

/** One object of the log, as the storage has it. */
export interface StoredEntry {
  readonly writer: string
  readonly seq: number
  /** Absent: it is there and was not read. */
  readonly bytes?: Uint8Array | undefined
}

const MAX_NAMED = 1000

/** Something that is not as it was written. */
export interface ChainProblem {
  readonly writer: string
  readonly seq: number
  readonly kind: 'removed' | 'edited'
}

export interface ChainReport {
  /** Newest first. */
  readonly entries: readonly AuditEntry[]
  readonly problems: readonly ChainProblem[]
}

/**
 * Reads the chains of all writers and says what was removed or edited since: each entry holds the SHA-256 of the one
 * before, and each writer's first entry holds where the others ended. `heads`: ends that are known from elsewhere, like
 * what this very process wrote last. Pure.
 * Of an entry that was not read it is only known that it is there.
 */
export function checkChains(stored: readonly StoredEntry[], heads: readonly AuditHead[] = []): ChainReport {
  const entries: AuditEntry[] = []
  const problems = new Map<string, ChainProblem>()
  const report = (writer: string, seq: number, kind: ChainProblem['kind']): void => {
    const key = `${writer} ${seq}`
    if (!problems.has(key)) problems.set(key, { writer, seq, kind })
  }
  const byWriter = Map.groupBy(stored, ({ writer }) => writer)
  const known: AuditHead[] = [...heads]
  const chains = new Map<string, { readonly bySeq: ReadonlyMap<number, StoredEntry>; readonly last: number }>()
  for (const [writer, objects] of byWriter) {
    const sorted = [...objects].sort((a, b) => a.seq - b.seq)
    chains.set(writer, { bySeq: new Map(sorted.map((each) => [each.seq, each])), last: sorted.at(-1)?.seq ?? 0 })
    let expected = 1
    let previous: string | undefined
    for (const { seq, bytes } of sorted) {
      expected = Math.max(expected, seq - MAX_NAMED)
      for (; expected < seq; expected++) {
        report(writer, expected, 'removed')
        previous = undefined
      }
      expected = seq + 1
      if (bytes === undefined) {
        previous = undefined
        continue
      }
      const entry = parseEntry(bytes)
      if (entry === undefined || entry.writer !== writer || entry.seq !== seq) report(writer, seq, 'edited')
      else {
        entries.push(entry)
        if (entry.heads !== undefined) known.push(...entry.heads)
        if (previous !== undefined && entry.previous !== previous) report(writer, seq - 1, 'edited')
      }
      previous = sha256Of(bytes)
    }
  }
  for (const { writer, seq, sha256 } of known) {
    const chain = chains.get(writer)
    const object = chain?.bySeq.get(seq)
    if (object === undefined) {
      const last = chain?.last ?? 0
      // Of a long gap, the end is enough: what is made up must not become a list as long.
      for (let missing = Math.max(last + 1, seq - MAX_NAMED); missing <= seq; missing++)
        report(writer, missing, 'removed')
    } else if (object.bytes !== undefined && sha256Of(object.bytes) !== sha256) report(writer, seq, 'edited')
  }
  return { entries: entries.sort(newestFirst), problems: [...problems.values()] }
}

/** By the time in the entry: of several writers, whoever began last is not who wrote last. */
export function newestFirst(a: AuditEntry, b: AuditEntry): number {
  if (a.at !== b.at) return a.at < b.at ? 1 : -1
  return b.seq - a.seq
}
