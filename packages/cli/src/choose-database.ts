import { usageError } from './cli-error.ts'
import type { OpenedEngine } from './open-engine.ts'

/**
 * The database that is meant: the one that was named, the only one configured, or the only one the storage holds.
 * Undefined when there is none at all.
 */
export async function chooseDatabase(
  { engine, chosen }: OpenedEngine,
  signal: AbortSignal,
): Promise<string | undefined> {
  const databases = await allDatabases({ engine, chosen }, signal)
  if (databases.length > 1)
    throw usageError(`Which database? There are ${databases.join(', ')}.`, 'Choose one with --db.')
  return databases[0]
}

/** The one that was named, or all that are configured, or all that the storage holds. */
export async function allDatabases(
  { engine, chosen }: Pick<OpenedEngine, 'engine' | 'chosen'>,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (chosen.database !== undefined) return [chosen.database]
  return engine.databases.length > 0 ? engine.databases : await engine.listDatabases({ ...chosen, signal })
}
