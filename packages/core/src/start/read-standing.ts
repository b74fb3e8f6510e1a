import type { NamedStorage } from '../catalog/first-answering.ts'
import { findLatest } from '../catalog/list-states.ts'
import type { Manifest } from '../catalog/manifest.ts'
import { readLineage } from '../catalog/read-lineage.ts'
import { readManifest } from '../catalog/read-manifest.ts'
import type { ResolvedDatabase } from '../config/config.ts'
import type { EngineContext } from '../context.ts'
import { openSpool } from '../spool/spool.ts'
import { readSpoolState } from '../spool/state.ts'
import { decideStanding, type Standing } from './decide-standing.ts'

export interface StandingReport {
  readonly standing: Standing
  /** The newest state the storage has. */
  readonly newest?: Manifest
  readonly storage: NamedStorage
}

/** How the database that is here stands to what a storage holds. @throws BackupError what the storage throws */
export async function readStanding(
  { capture }: Pick<EngineContext, 'capture'>,
  database: ResolvedDatabase,
  storage: NamedStorage,
  signal: AbortSignal,
): Promise<StandingReport> {
  const newestEntry = await findLatest(storage.storage, database.name, { signal })
  if (newestEntry === undefined) return { standing: 'current', storage }
  const newest = await readManifest(storage.storage, newestEntry, { signal })
  const state = await readSpoolState(await openSpool(database))
  const { fingerprint } = await capture.inspect({ path: database.path }, { signal })
  const standing = decideStanding({
    mine: state,
    isUnchanged: fingerprint !== undefined && fingerprint === state.fingerprint,
    theirs: [newest, ...(await ancestorsOf(newest, storage, database.name, signal))],
  })
  return { standing, newest, storage }
}

/** Of the newest few backups those that `newest` grew from, its parent first. */
async function ancestorsOf(
  newest: Manifest,
  { storage }: NamedStorage,
  database: string,
  signal: AbortSignal,
): Promise<readonly Manifest[]> {
  const { manifests } = await readLineage(storage, database, { signal })
  const byId = new Map(manifests.map((each) => [each.id, each]))
  const ancestors: Manifest[] = []
  for (
    let next = byId.get(newest.lineage.parent ?? '');
    next !== undefined && !ancestors.includes(next);
    next = byId.get(next.lineage.parent ?? '')
  ) {
    ancestors.push(next)
  }
  return ancestors
}
