import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { EngineContext } from '../context.ts'
import { readSpoolState } from '../spool/state.ts'
import { storeSafetyCopy } from './store-safety-copy.ts'

/** The name that `restore/` gives to a complete copy of what it replaces. */
export const safetyCopyName = /^pre-restore-[0-9a-f]{12}\.db$/

/** Younger ones are still in the hands of the restore that made them. */
const LEFT_AFTER_MS = 3600_000

/**
 * Makes backups of what killed restores replaced and nobody has brought away since. A copy that cannot be made a backup
 * stays, and is said again with every run.
 */
export async function storeLeftCopies(
  context: EngineContext,
  { database, spoolDir }: { readonly database: string; readonly spoolDir: string },
  signal: AbortSignal,
): Promise<readonly string[]> {
  const warnings: string[] = []
  for (const name of (await readdir(spoolDir)).filter((each) => safetyCopyName.test(each)).sort()) {
    const path = join(spoolDir, name)
    // The clock of the file system, which is the real one.
    if (Date.now() - (await stat(path)).mtimeMs < LEFT_AFTER_MS) continue
    const lineage = await readSpoolState(spoolDir)
    const stored = await storeSafetyCopy(context, { database, path, spoolDir, lineage }, signal)
    warnings.push(...stored.warnings)
    if (stored.id === undefined) continue
    warnings.push(`What an interrupted restore replaced is the backup ${stored.id} now, of tier pre-restore.`)
  }
  return warnings
}
