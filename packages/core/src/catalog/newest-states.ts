import type { CallOptions, Storage } from '../storage/storage.ts'
import { parseBackupId } from './backup-id.ts'
import type { BackupEntry } from './keys.ts'
import { listStates } from './list-states.ts'
import type { Lineage } from './manifest.ts'
import { readLineage } from './read-lineage.ts'

export interface State {
  readonly entry: BackupEntry
  /** A backup that this one grew from, though it is dated later: the clock of whoever made that one was ahead. */
  readonly ahead?: BackupEntry
}

// What is not dated in the future costs a request each; of what is, keys are enough.
const DEPTH = 8
const MAX_AHEAD = 5000

/**
 * The newest states of a database, in the order in which they are wanted: by time, but what grew from another comes before
 * it. A clock that was ahead once would win every `latest` for as long as it was ahead, over all that was written since.
 */
export async function newestStates(
  storage: Storage,
  database: string,
  { now = new Date(), signal }: CallOptions & { readonly now?: Date | undefined } = {},
): Promise<readonly State[]> {
  const ahead: BackupEntry[] = []
  const past: BackupEntry[] = []
  for await (const entry of listStates(storage, database, { signal })) {
    ;(entry.created > now ? ahead : past).push(entry)
    if (past.length === DEPTH || ahead.length === MAX_AHEAD) break
  }
  const entries = [...ahead, ...past]
  if (entries.length < 2) return entries.map((entry) => ({ entry }))
  const asked = [...new Set([...ahead.slice(0, DEPTH), ...ahead.slice(-1), ...past])]
  const { manifests } = await readLineage(storage, database, { newest: asked, depth: asked.length, signal })
  return orderStates(entries, new Map(manifests.map(({ id, lineage }) => [id, lineage])), now)
}

/** Newest first, but a backup comes after those that grew from it. `lineages`: by id, as far as they are known. Pure. */
export function orderStates(
  newestFirst: readonly BackupEntry[],
  lineages: ReadonlyMap<string, Lineage>,
  now: Date,
): readonly State[] {
  const [newest, ...others] = newestFirst
  if (newest === undefined) return []
  const isLater = laterThanAhead(newestFirst, lineages, now)
  const grown = others.filter((each) => descends(each.id, newest.id, lineages) || isLater(each))
  return [
    ...orderStates(grown, lineages, now).map(({ entry }) => ({ entry, ahead: newest })),
    { entry: newest },
    ...others.filter((each) => !grown.includes(each)).map((entry) => ({ entry })),
  ]
}

/**
 * Many backups after a clock was set right, or when those in between were pruned, nothing leads back to what it had dated.
 * But the first of these knows its own parent, and with it the time when it began. What was made since by the same writer
 * came later, because a writer has one state at a time; and so did that of others, unless it is known to have grown from
 * that parent, or from before it.
 */
function laterThanAhead(
  newestFirst: readonly BackupEntry[],
  lineages: ReadonlyMap<string, Lineage>,
  now: Date,
): (entry: BackupEntry) => boolean {
  const first = newestFirst.findLast(({ created }) => created > now)
  const mine = first === undefined ? undefined : lineages.get(first.id)
  const since = mine?.parent === undefined ? undefined : parseBackupId(mine.parent)?.second
  if (mine === undefined || since === undefined || since > now) return () => false

  const grewSince = (id: string): boolean => {
    const seen = new Set<string>()
    for (let at = id; !seen.has(at); ) {
      seen.add(at)
      const lineage = lineages.get(at)
      if (lineage === undefined) return at !== id
      const time = lineage.parent === undefined ? undefined : parseBackupId(lineage.parent)?.second
      if (lineage.parent === undefined || lineage.parent === mine.parent || time === undefined || time < since)
        return false
      at = lineage.parent
    }
    return false
  }
  return ({ id, created }) =>
    created <= now &&
    created >= since &&
    id !== mine.parent &&
    (lineages.get(id)?.writer === mine.writer || grewSince(id))
}

function descends(id: string, ancestor: string, lineages: ReadonlyMap<string, Lineage>): boolean {
  const seen = new Set<string>()
  for (let at = lineages.get(id)?.parent; at !== undefined && !seen.has(at); at = lineages.get(at)?.parent) {
    if (at === ancestor) return true
    seen.add(at)
  }
  return false
}

/** For states of several storages: the wanted one first, and of the same one that in the storage named first. */
export function compareStates(a: State, b: State): number {
  return (
    datedMs(b) - datedMs(a) ||
    Number(b.ahead !== undefined) - Number(a.ahead !== undefined) ||
    b.entry.created.getTime() - a.entry.created.getTime()
  )
}

const datedMs = ({ entry, ahead = entry }: State): number => ahead.created.getTime()

/** That a clock was ahead, for whoever is about to restore. */
export function aheadInWords({ entry, ahead }: State): readonly string[] {
  if (ahead === undefined) return []
  return [
    `${ahead.id} is dated later (${ahead.created.toISOString()}), but ${entry.id} grew from it and is the newest: a clock was ahead.`,
  ]
}
