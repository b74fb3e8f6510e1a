import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { followLinks } from './follow-links.ts'

/** Where a file is, or will be, once links are followed; and the nearest folder above it that is there, on the same volume. */
export async function placeOf(file: string): Promise<{ readonly target: string; readonly folder: string }> {
  const isMissingFolder = (await existingFolder(dirname(file))) !== dirname(file)
  const target = isMissingFolder ? file : await followLinks(file)
  return { target, folder: await existingFolder(dirname(target)) }
}

/** The folder, or the nearest one above it that is there. */
export async function existingFolder(dir: string): Promise<string> {
  try {
    await stat(dir)
    return dir
  } catch (error) {
    const parent = dirname(dir)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === dir) throw error
    return existingFolder(parent)
  }
}
