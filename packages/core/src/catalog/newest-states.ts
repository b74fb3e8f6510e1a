import type { CallOptions, Storage } from '../storage/storage.ts'
import type { BackupEntry } from './keys.ts'
import { listStates } from './list-states.ts'
import { readLineage } from './read-lineage.ts'

export interface State {
  readonly entry: BackupEntry
  /** A backup that this one grew from, though it is dated later: the clock of whoever made that one was ahead. */
  readonly ahead?: BackupEntry
}

// Some that are not dated in the future, and no more than these of all: each costs a request.
const DEPTH = 8
const MAX_DEPTH = 64

/**
 * The newest states of a database, in the order in which they are wanted: by time, but what grew from another comes before
 * it. A clock that was ahead once would win every `latest` for as long as it was ahead, over all that was written since.
 */
export async function newestStates(
  storage: Storage,
  database: string,
  { now = new Date(), signal }: CallOptions & { readonly now?: Date | undefined } = {},
): Promise<readonly State[]> {
  const entries: BackupEntry[] = []
  let past = 0
  for await (const entry of listStates(storage, database, { signal })) {
    entries.push(entry)
    if (entry.created <= now) past++
    if (past === DEPTH || entries.length === MAX_DEPTH) break
  }
  if (entries.length < 2) return entries.map((entry) => ({ entry }))
  const { manifests } = await readLineage(storage, database, { newest: entries, depth: entries.length, signal })
  return orderStates(entries, new Map(manifests.map(({ id, lineage }) => [id, lineage.parent])))
}

/** Newest first, but a backup comes after those that grew from it. `parents`: by id, as far as they are known. Pure. */
export function orderStates(
  newestFirst: readonly BackupEntry[],
  parents: ReadonlyMap<string, string | undefined>,
): readonly State[] {
  const [newest, ...others] = newestFirst
  if (newest === undefined) return []
  const grown = others.filter(({ id }) => descends(id, newest.id, parents))
  return [
    ...orderStates(grown, parents).map(({ entry }) => ({ entry, ahead: newest })),
    { entry: newest },
    ...others.filter((each) => !grown.includes(each)).map((entry) => ({ entry })),
  ]
}

function descends(id: string, ancestor: string, parents: ReadonlyMap<string, string | undefined>): boolean {
  const seen = new Set<string>()
  for (let at = parents.get(id); at !== undefined && !seen.has(at); at = parents.get(at)) {
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
