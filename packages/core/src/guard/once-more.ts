import { isBackupError } from '../errors.ts'

/**
 * Does it again when a child process died in the middle, as when memory ran out: after a migration it matters more that
 * its outcome is known than that the first try was the last.
 */
export async function onceMore<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task()
  } catch (error) {
    if (!isBackupError(error, 'CAPTURE_DIED')) throw error
    return await task()
  }
}
