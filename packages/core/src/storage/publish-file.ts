import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BackupError } from '../errors.ts'
import { linkDurably, makeDirDurably, renameDurably } from '../spool/durable.ts'
import { errnoOf, isMissing } from './filesystem-error.ts'
import { removeEmptyFolder } from './remove-empty-folders.ts'

export interface PublishOptions {
  readonly key: string
  readonly folderMode: number
  readonly ifAbsent: boolean
  /** Whether the volume has hard links: the only way to give a finished file a name that must be free. */
  readonly canLink: boolean
}

const MAX_TRIES = 100

/**
 * Gives a finished file its place as an object, and makes the folders for it.
 *
 * @throws BackupError `OBJECT_EXISTS`, and `KEY_INVALID` when the key is a folder or lies below an object
 */
export async function publishFile(temp: string, path: string, options: PublishOptions): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await makeDirDurably(dirname(path), options.folderMode)
      return await place(temp, path, options)
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === 'ENOTDIR') throw belowObject(options.key)
      // Deletes at the same time take emptied folders away: make them again.
      if (errno === 'ENOENT' && tries < MAX_TRIES) continue
      const there = await statOf(path)
      if (there === undefined && errno === 'EEXIST') throw belowObject(options.key)
      if (there?.isDirectory()) {
        if (tries < MAX_TRIES && (await removeEmptyFolder(path))) continue
        throw new BackupError('KEY_INVALID', `${options.key} is a folder here: there are objects below it.`)
      }
      if (errno === 'EEXIST') throw new BackupError('OBJECT_EXISTS', `There already is an object ${options.key}.`)
      throw error
    }
  }
}

async function place(temp: string, path: string, { ifAbsent, canLink }: PublishOptions): Promise<void> {
  if (!ifAbsent) return renameDurably(temp, path)
  if (canLink) return linkDurably(temp, path)
  if ((await statOf(path)) !== undefined) throw Object.assign(new Error(`${path} exists`), { code: 'EEXIST' })
  await renameDurably(temp, path)
}

function belowObject(key: string): BackupError {
  return new BackupError('KEY_INVALID', `${key} lies below another object, and a file cannot be a folder too.`)
}

async function statOf(path: string) {
  try {
    return await stat(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
