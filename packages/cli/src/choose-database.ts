import { CliError, usageError } from './cli-error.ts'
import type { CommandContext } from './command.ts'
import { exitCodes } from './exit-codes.ts'
import type { OpenedEngine } from './open-engine.ts'

/**
 * The database that is meant: the one that was named, the only one configured, the only one the storage holds, or the one
 * a person chooses.
 * @throws CliError `BACKUP_NOT_FOUND` when there is none at all
 */
export async function chooseDatabase(opened: OpenedEngine, context: CommandContext): Promise<string> {
  const databases = await allDatabases(opened, context.signal)
  const [first] = databases
  if (first === undefined) throw noBackups(opened)
  if (databases.length === 1) return first
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

/** Nothing is there: mostly a slip in the name of the place. */
export function noBackups({ places, chosen }: OpenedEngine): CliError {
  const place = chosen.from === undefined ? [...places.values()].join(', ') : places.get(chosen.from)
  const message = `There are no backups in ${place}.`
  const hint = 'Look for a slip in the folder, the bucket or its prefix; `sqlite-backup backup` makes the first one.'
  return new CliError({ code: 'BACKUP_NOT_FOUND', message, hint }, exitCodes.nothingToRestore)
}
