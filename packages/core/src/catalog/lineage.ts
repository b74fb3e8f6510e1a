import { parseBackupId } from './backup-id.ts'
import type { Lineage, Manifest } from './manifest.ts'

export type LineageNode = Pick<Manifest, 'id' | 'created' | 'tier' | 'lineage'>

/** Two states that both claim to be the database. */
export interface Fork {
  /** The newest tip. */
  readonly newest: LineageNode
  /** A tip that is not an ancestor of it. */
  readonly other: LineageNode
  /** Id of the backup both grew from, when it is known. */
  readonly parent?: string
  /** `writers`: two engines wrote side by side; `environments`: likewise, from two environments; `restored`: somebody went back to an older state on purpose. */
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
  const trunk = branchOf(newest, links)
  return others.map((other) => {
    const branch = branchOf(other, links)
    const parent = branch.ids.find((id) => trunk.ids.includes(id))
    // What a restore replaced is left behind on purpose, whoever goes on.
    const kind =
      other.tier === 'pre-restore' ? 'restored' : kindOf(firstAfter(parent, trunk), firstAfter(parent, branch))
    return { newest, other, ...(parent === undefined ? {} : { parent }), kind }
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

function kindOf({ lineage: a }: LineageNode, { lineage: b }: LineageNode): Fork['kind'] {
  if (a.environment !== b.environment) return 'environments'
  return a.writer === b.writer ? 'restored' : 'writers'
}

interface Branch {
  /** From the tip back to the oldest that is known. */
  readonly nodes: readonly [LineageNode, ...LineageNode[]]
  /** Their ids, and behind them the parent of the oldest: it may be pruned, and still is what two branches have in common. */
  readonly ids: readonly string[]
}

function branchOf(tip: LineageNode, links: ReadonlyMap<string, LineageNode>): Branch {
  const nodes: [LineageNode, ...LineageNode[]] = [tip]
  let oldest = tip
  for (let next = links.get(tip.id); next !== undefined && !nodes.includes(next); next = links.get(next.id)) {
    nodes.push(next)
    oldest = next
  }
  const ids = nodes.map(({ id }) => id)
  return { nodes, ids: oldest.lineage.parent === undefined ? ids : [...ids, oldest.lineage.parent] }
}

/** Where a branch began: who wrote that decides, whoever went on with it. Without a common parent, its tip. */
function firstAfter(parent: string | undefined, { nodes, ids }: Branch): LineageNode {
  return (parent === undefined ? undefined : nodes[ids.indexOf(parent) - 1]) ?? nodes[0]
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
  // Of a parent whose time is unknown nothing follows: what is taken for an ancestor loses its place as a tip.
  return own ?? (until === undefined ? undefined : older[0])
}

function secondOf({ created }: LineageNode): number {
  return Math.floor(Date.parse(created) / 1000) * 1000
}

function newestFirst(a: LineageNode, b: LineageNode): number {
  return Date.parse(b.created) - Date.parse(a.created) || (a.id < b.id ? 1 : -1)
}
