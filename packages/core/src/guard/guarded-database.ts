import { realpath } from 'node:fs/promises'
import type { ResolvedDatabase } from '../config/config.ts'
import { databaseOf, type EngineContext } from '../context.ts'
import { BackupError } from '../errors.ts'

/**
 * The database that is about to be migrated: by name, or by the file the migrator has open. Guarding one and migrating
 * another would roll back the wrong one.
 * @throws BackupError `USAGE`
 */
export async function guardedDatabase(
  context: EngineContext,
  name: string | undefined,
  file: string | undefined,
): Promise<ResolvedDatabase> {
  if (file === undefined) return databaseOf(context, name)
  if (file === '' || file === ':memory:') {
    throw new BackupError('USAGE', 'The database to be migrated is in memory: there is no file to back up.', {
      hint: 'Migrate it without a guard, or open a file.',
    })
  }
  const { databases } = context.config
  const wanted = name === undefined ? databases : [databaseOf(context, name)]
  const real = await realOf(file)
  for (const database of wanted) if ((await realOf(database.path)) === real) return database
  throw new BackupError(
    'USAGE',
    name === undefined
      ? `${file} is about to be migrated, and no database of the configuration has that file.`
      : `${file} is about to be migrated, and "${name}" is ${databaseOf(context, name).path}.`,
    {
      hint:
        databases.length === 0
          ? 'Add it under `databases`.'
          : `Configured: ${databases.map((each) => `${each.name} (${each.path})`).join(', ')}.`,
    },
  )
}

async function realOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path
    throw error
  }
}
