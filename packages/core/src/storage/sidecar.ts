import { readdir, readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeDirDurably, writeDurably } from '../spool/durable.ts'
import { errnoOf, isMissing } from './filesystem-error.ts'
import { removeEmptyFolders } from './remove-empty-folders.ts'

export type Metadata = Readonly<Record<string, string>>

/** Metadata of objects that are plain files: small JSON files in a folder of their own, never listed as objects. */
export interface Sidecars {
  /** Must be durable before its object is published: the object's etag, which is in the name, ties them together. */
  write(key: string, etag: string, metadata: Metadata): Promise<void>
  read(key: string, etag: string): Promise<Metadata>
  /** Forgets the metadata of one version of an object, or of all. */
  remove(key: string, etag?: string): Promise<void>
}

const MAX_TRIES = 100

export function sidecars(dir: string, mode: { readonly file: number; readonly folder: number }): Sidecars {
  const folderOf = (key: string): string => join(dir, key)

  return {
    async write(key, etag, metadata) {
      const file = join(folderOf(key), `${etag}.json`)
      const bytes = Buffer.from(JSON.stringify(metadata))
      for (let tries = 1; ; tries++) {
        try {
          await makeDirDurably(dirname(file), mode.folder)
          return await writeDurably(file, bytes, { mode: mode.file })
        } catch (error) {
          // Whoever deletes at the same time takes emptied folders away: make them again.
          if (errnoOf(error) !== 'ENOENT' || tries === MAX_TRIES) throw error
        }
      }
    },

    async read(key, etag) {
      const folder = folderOf(key)
      const exact = await readJson(join(folder, `${etag}.json`))
      if (exact !== undefined) return exact
      // In a copied tree (`cp -a`, `rsync -a`) inode numbers are new; sizes and times are not, to the millisecond.
      const copied = (await namesIn(folder)).find((name) => isSameCopied(name.replace(/\.json$/, ''), etag))
      return copied === undefined ? {} : ((await readJson(join(folder, copied))) ?? {})
    },

    async remove(key, etag) {
      const folder = folderOf(key)
      // Only files: folders in it belong to keys below this one.
      const names = etag === undefined ? await namesIn(folder) : [`${etag}.json`]
      for (const name of names) await rm(join(folder, name), { force: true })
      await removeEmptyFolders(dir, key)
    },
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

async function readJson(file: string): Promise<Metadata | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Compares etags of the form `<inode>-<nanoseconds>-<size>` without the inode. */
function isSameCopied(one: string, other: string): boolean {
  const [, oneTime, oneSize] = one.split('-')
  const [, otherTime, otherSize] = other.split('-')
  if (oneSize === undefined || oneSize !== otherSize) return false
  return Math.abs(Number(oneTime) - Number(otherTime)) < 1_000_000
}
