import { randomBytes } from 'node:crypto'
import { chmod, chown, lstat, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { BackupError } from '../errors.ts'
import { fsyncDir, fsyncFile, moveIfAbsent } from '../spool/durable.ts'
import type { PublishProgress } from './protocol.ts'

export interface PublishMissing {
  /** Our image, beside the target. */
  readonly image: string
  /** Where it goes, links followed. */
  readonly target: string
  /** Something that is no database lies there and has to be moved away. */
  readonly isOccupied: boolean
  readonly emit: (progress: PublishProgress) => void
}

/**
 * Gives the image the target's name. Never over a file: of several processes one wins, and the others are told.
 * A crash leaves it missing, or empty on a volume without hard links, or whole.
 * @returns the files that were in the way, under their new names
 * @throws BackupError `RESTORE_TARGET_EXISTS` when somebody else made the database meanwhile; whatever the file system says
 */
export async function publishMissing({ image, target, isOccupied, emit }: PublishMissing): Promise<readonly string[]> {
  const owner = await ownerFor(target, isOccupied)
  await chmod(image, owner.mode)
  if (owner.uid !== undefined && owner.gid !== undefined) await chown(image, owner.uid, owner.gid)
  await fsyncFile(image)
  const setAside = await moveAside(target, isOccupied ? ['', ...companions] : companions)
  emit({ kind: 'step', step: 'set-aside' })
  try {
    await moveIfAbsent(image, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    throw new BackupError('RESTORE_TARGET_EXISTS', `Somebody else made ${target} in the meantime.`, {
      hint: 'Another process restored or created the database first. It was left alone.',
      cause: error,
    })
  }
  emit({ kind: 'step', step: 'linked' })
  await rm(image, { force: true })
  return setAside
}

const companions = ['-wal', '-shm', '-journal'] as const

/**
 * Moves files out of the way that SQLite would play into the new database: https://sqlite.org/howtocorrupt.html (1.4).
 * Not deleted: they may be all that is left of something.
 */
export async function moveAside(target: string, suffixes: readonly string[]): Promise<readonly string[]> {
  const mark = randomBytes(4).toString('hex')
  const moved: string[] = []
  for (const suffix of suffixes) {
    const to = `${target}${suffix}.set-aside-${mark}`
    try {
      await rename(`${target}${suffix}`, to)
      moved.push(to)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  if (moved.length > 0) await fsyncDir(dirname(target))
  return moved
}

interface Owner {
  readonly mode: number
  readonly uid?: number
  readonly gid?: number
}

// SQLite's own SQLITE_DEFAULT_FILE_PERMISSIONS.
const DEFAULT_MODE = 0o644

/** What was there before keeps its owner and mode. A new file made by root belongs to the folder's owner: the app that drops root must be able to write it. */
async function ownerFor(target: string, isOccupied: boolean): Promise<Owner> {
  const isRoot = process.geteuid?.() === 0
  if (isOccupied) {
    const { mode, uid, gid } = await lstat(target)
    return { mode: mode & 0o777, ...(isRoot ? { uid, gid } : {}) }
  }
  const { uid, gid } = await stat(dirname(target))
  return { mode: DEFAULT_MODE & ~process.umask(), ...(isRoot ? { uid, gid } : {}) }
}
