import { rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errnoOf, isMissing } from './filesystem-error.ts'

/** Removes `folder` below `root`, and those above it, as far as nothing is in them. `root` itself stays. */
export async function removeEmptyFolders(root: string, folder: string): Promise<void> {
  for (let name = folder; name !== '.'; name = dirname(name)) {
    if (!(await removeEmptyFolder(join(root, name)))) return
  }
}

/** False when something is in it. */
export async function removeEmptyFolder(path: string): Promise<boolean> {
  try {
    await rmdir(path)
    return true
  } catch (error) {
    if (isMissing(error)) return true
    // POSIX lets a file system say either.
    if (errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST') return false
    throw error
  }
}
