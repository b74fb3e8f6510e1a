import type { NamedStorage } from '../catalog/first-answering.ts'
import { BackupError, isBackupError, messageOf } from '../errors.ts'

/**
 * Does something in the first storage that can: what is kept beside backups needs one place, and a storage that is down
 * should not be in the way of a restore from another.
 * @throws BackupError `UNAVAILABLE` when none can, `OBJECT_EXISTS` when somebody was first
 */
export async function inFirstStorage<T>(
  storages: readonly NamedStorage[],
  doing: string,
  run: (storage: NamedStorage) => Promise<T>,
): Promise<T> {
  const problems: string[] = []
  for (const named of storages) {
    try {
      return await run(named)
    } catch (error) {
      // Somebody else was first: that is an answer, not a storage that is down.
      if (isBackupError(error, 'OBJECT_EXISTS')) throw error
      problems.push(`${named.name}: ${messageOf(error)}`)
    }
  }
  throw new BackupError('UNAVAILABLE', `No storage could ${doing}. ${problems.join(' ')}`.trim(), {
    hint: 'The command line works without it: npx @sqlite-backup/cli restore',
  })
}
