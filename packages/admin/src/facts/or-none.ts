import { isBackupError } from '@sqlite-backup/core'

/** A list of what is good to know: a storage that does not answer is told with the storages. */
export async function orNone<T>(read: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await read()
  } catch (error) {
    if (isBackupError(error)) return []
    throw error
  }
}
