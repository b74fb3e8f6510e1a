import { parseBackupId } from './backup-id.ts'
import type { Lineage, Manifest } from './manifest.ts'

export type LineageNode = Pick<Manifest, 'id' | 'created' | 'lineage'>

/** Two states that both claim to be the database. */
export interface Fork {
  /** The newest tip. */
  readonly newest: LineageNode
  /** A tip that is not an ancestor of it. */
  readonly other: LineageNode
  /** Id of the backup both grew from, when it is known. */
  readonly parent?: string
  /** `writers`: two engines wrote side by side; `environments`: likewise, from two environments; `restored`: one went back to an older state. */
  readonly kind: 'writers' | 'environments' | 'restored'
}

/** Backups that no other one grew from, newest first: one is right, more are a fork. */
export function findTips<N extends LineageNode>(backups: readonly N[]): readonly N[] {
  const links = linkToParents(backups)
  const parents = new Set([...links.values()].map(({ id }) => id))
  return [...backups].sort(newestFirst).filter(({ id }) => !parents.has(id))
}

/** The forks among some backups, each against the newest tip. */
export function findForks(backups: readonly LineageNode[]): readonly Fork[] {
  const [newest, ...others] = findTips(backups)
  if (newest === undefined) return []
  const links = linkToParents(backups)
  const ancestors = new Set(chainOf(newest, links))
  return others.map((other) => {
    const parent = chainOf(other, links).find((id) => ancestors.has(id))
    return { newest, other, ...(parent === undefined ? {} : { parent }), kind: kindOf(newest.lineage, other.lineage) }
  })
}

/**
 * How the newest backup in a storage stands to a writer that is about to write.
 * `none`: there is none; `parent`: it is what this state grew from; `own-branch`: this writer's own, from before it went
 * back to an older state; `unknown`: this writer does not know what it grew from; `fork`: somebody else wrote since.
 */
export function relationToNewest(
  mine: Pick<Lineage, 'writer' | 'parent'>,
  newest: LineageNode | undefined,
): 'none' | 'parent' | 'own-branch' | 'unknown' | 'fork' {
  if (newest === undefined) return 'none'
  if (newest.id === mine.parent) return 'parent'
  if (newest.lineage.writer === mine.writer) return 'own-branch'
  return mine.parent === undefined ? 'unknown' : 'fork'
}

function kindOf(a: Lineage, b: Lineage): Fork['kind'] {
  if (a.environment !== b.environment) return 'environments'
  return a.writer === b.writer ? 'restored' : 'writers'
}

/** Ids from a backup back to the oldest that is known. */
function chainOf(from: LineageNode, links: ReadonlyMap<string, LineageNode>): readonly string[] {
  const ids: string[] = []
  let parent = from.lineage.parent
  for (
    let node: LineageNode | undefined = from;
    node !== undefined && !ids.includes(node.id);
    node = links.get(node.id)
  ) {
    ids.push(node.id)
    parent = node.lineage.parent
  }
  // The oldest one's parent may be pruned, and still is what two branches have in common.
  return parent === undefined ? ids : [...ids, parent]
}

/** For each backup, the one among these that it grew from. */
function linkToParents<N extends LineageNode>(backups: readonly N[]): ReadonlyMap<string, N> {
  const byId = new Map(backups.map((backup) => [backup.id, backup]))
  const sorted = [...backups].sort(newestFirst)
  const links = new Map<string, N>()
  for (const backup of backups) {
    const { parent, writer } = backup.lineage
    const known = parent === undefined ? undefined : byId.get(parent)
    const link = known ?? nearestOlder(sorted, backup, parent, writer)
    if (link !== undefined && link.id !== backup.id) links.set(backup.id, link)
  }
  return links
}

/**
 * When the parent was pruned, or lies behind what was read, its id still tells its time. The writer's newest backup up
 * to then is an ancestor, because a writer has one state at a time; without one the parent was somebody else's, and the
 * newest of anybody up to then is the likeliest.
 */
function nearestOlder<N extends LineageNode>(
  newestFirstBackups: readonly N[],
  backup: N,
  parent: string | undefined,
  writer: string,
): N | undefined {
  const until = parent === undefined ? undefined : parseBackupId(parent)?.second.getTime()
  const older = newestFirstBackups.filter(
    (each) =>
      each.id !== backup.id && each.created <= backup.created && (until === undefined || secondOf(each) <= until),
  )
  const own = older.find((each) => each.lineage.writer === writer)
  return own ?? (parent === undefined ? undefined : older[0])
}

function secondOf({ created }: LineageNode): number {
  return Math.floor(Date.parse(created) / 1000) * 1000
}

function newestFirst(a: LineageNode, b: LineageNode): number {
  return Date.parse(b.created) - Date.parse(a.created) || (a.id < b.id ? 1 : -1)
}
