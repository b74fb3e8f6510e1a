import { usageError } from './cli-error.ts'

/** Milliseconds of a duration like `26h` that was given with a flag, which a complaint names. */
export async function readDuration(flag: string, text: string): Promise<number> {
  const { isBackupError, parseDuration } = await import('@sqlite-backup/core')
  try {
    return parseDuration(text)
  } catch (error) {
    if (!isBackupError(error)) throw error
    throw usageError(`${flag}: ${error.message}`, error.hint)
  }
}
