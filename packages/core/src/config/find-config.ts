import { stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

/** What a config file may be called, the first that is there wins. */
export const configFileNames = Object.freeze([
  'sqlite-backup.config.mts',
  'sqlite-backup.config.ts',
  'sqlite-backup.config.mjs',
  'sqlite-backup.config.js',
  'sqlite-backup.config.json',
])

/**
 * The config file of a project: in `cwd` or above it, but never above the nearest folder with a package.json, because a
 * config is code, and what lies further up may be somebody else's.
 */
export async function findConfig(cwd: string): Promise<string | undefined> {
  const project = await nearest(cwd, ['package.json'])
  const last = project === undefined ? resolve(cwd) : dirname(project)
  return nearest(cwd, configFileNames, last)
}

/** Config files in the folder of the one that is read, which are not: somebody may be editing one of them. */
export async function configsBeside(file: string): Promise<readonly string[]> {
  const others = configFileNames.filter((name) => name !== basename(file))
  const isThere = await Promise.all(others.map((name) => isFile(join(dirname(file), name))))
  return others.filter((_, at) => isThere[at])
}

/** The first of these files in a folder or above it, up to and with the folder `last`. */
async function nearest(cwd: string, names: readonly string[], last?: string): Promise<string | undefined> {
  let folder = resolve(cwd)
  for (;;) {
    for (const name of names) {
      const file = join(folder, name)
      if (await isFile(file)) return file
    }
    const parent = dirname(folder)
    if (folder === last || parent === folder) return undefined
    folder = parent
  }
}

/** True for a file, false for anything else or nothing. */
export async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return false
    throw error
  }
}
