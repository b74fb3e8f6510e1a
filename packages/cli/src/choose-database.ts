import { usageError } from './cli-error.ts'
import type { CommandContext } from './command.ts'
import type { OpenedEngine } from './open-engine.ts'

/**
 * The database that is meant: the one that was named, the only one configured, the only one the storage holds, or the one
 * a person chooses. Undefined when there is none at all.
 */
export async function chooseDatabase(opened: OpenedEngine, context: CommandContext): Promise<string | undefined> {
  const databases = await allDatabases(opened, context.signal)
  if (databases.length <= 1) return databases[0]
  if (!context.terminal.canAsk) {
    throw usageError(`Which database? There are ${databases.join(', ')}.`, 'Choose one with --db.')
  }
  const { chooseOne } = await import('./ask.ts')
  return await chooseOne('Which database?', databases, context)
}

/** The one that was named, or all that are configured, or all that the storage holds. */
export async function allDatabases({ engine, chosen }: OpenedEngine, signal: AbortSignal): Promise<readonly string[]> {
  if (chosen.database !== undefined) return [chosen.database]
  return engine.databases.length > 0 ? engine.databases : await engine.listDatabases({ ...chosen, signal })
}
