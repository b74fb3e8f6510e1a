import { type LineageNode, relationToNewest } from '../catalog/lineage.ts'
import type { Lineage } from '../catalog/manifest.ts'

export interface StandingFacts {
  /** What the spool knows of the database that is here. */
  readonly mine: Pick<Lineage, 'writer' | 'parent'>
  /** It is as it was at our last backup. */
  readonly isUnchanged: boolean
  /** The newest state a storage has, and then what it grew from, back as far as was read. */
  readonly theirs: readonly LineageNode[]
}

/**
 * How a database that is here stands to the newest state in a storage. `current`: nobody else wrote since; `behind`:
 * others went on from where this one stands, and it has nothing of its own; `diverged`: both went on; `unknown`: this one
 * does not know where it comes from.
 */
export type Standing = 'current' | 'behind' | 'diverged' | 'unknown'

export function decideStanding({ mine, isUnchanged, theirs }: StandingFacts): Standing {
  const relation = relationToNewest(mine, theirs[0])
  if (relation === 'unknown') return 'unknown'
  if (relation !== 'fork') return 'current'
  const builtOnOurs = theirs.some(({ id, lineage }) => id === mine.parent || lineage.parent === mine.parent)
  return builtOnOurs && isUnchanged ? 'behind' : 'diverged'
}
