import { isBackupError } from '@sqlite-backup/core'
import type { NamedStorage } from './admin-context.ts'

/**
 * What each storage answers. One that is down is not in the way of what the others know.
 * @throws BackupError the first one's, when none answers
 */
export async function askStorages<T>(
  storages: readonly NamedStorage[],
  ask: (storage: NamedStorage) => Promise<T>,
): Promise<readonly T[]> {
  const answers = await Promise.allSettled(storages.map(ask))
  const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason as unknown] : []))
  const bug = failures.find((error) => !isBackupError(error))
  if (bug !== undefined) throw bug
  if (failures.length > 0 && failures.length === answers.length) throw failures[0]
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []))
}
