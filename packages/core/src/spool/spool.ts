import { createHash } from 'node:crypto'
import { access, chmod, constants, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { BackupError, messageOf } from '../errors.ts'
import { isFolder, makeDirDurably } from './durable.ts'
import { followLinks } from './follow-links.ts'

export interface SpoolLocation {
  /** The database file. */
  readonly path: string
  /** Where its spool should be. */
  readonly spoolDir: string
}

const STALE_AFTER_MS = 24 * 3600_000
/** Half-written bodies, raw copies and temporary files: what a killed process leaves. */
const LEFT_BEHIND = /\.(body|raw|tmp|draft)$/

/** The spool of a database unless configured: `.sqlite-backup/<file>` beside it. */
export function defaultSpoolDir(path: string): string {
  return join(dirname(path), '.sqlite-backup', basename(path))
}

/**
 * Makes the spool folder of a database (only its owner may enter) and removes what killed runs left there long ago.
 * When it cannot be made, because the database's folder is read-only or belongs to somebody else, it is one under the
 * system's temporary folder, the same for every process of this user.
 * @throws BackupError `SPOOL_FAILED`, `DATABASE_INVALID` when the database is a folder
 */
export async function openSpool(location: SpoolLocation): Promise<string> {
  const realPath = await followLinks(location.path).catch(() => location.path)
  if (await isFolder(realPath)) {
    throw new BackupError('DATABASE_INVALID', `${realPath} is a folder.`, { hint: 'Name the database file itself.' })
  }
  // Two engines that name the file differently must meet at one lock.
  const isDefault = location.spoolDir === defaultSpoolDir(location.path)
  const wanted = isDefault ? defaultSpoolDir(realPath) : location.spoolDir
  const dir = (await makeFolder(wanted)) ? wanted : temporarySpoolDir(realPath)
  if (dir !== wanted) {
    if (!isDefault || !(await makeFolder(dir))) {
      throw new BackupError('SPOOL_FAILED', `The spool folder ${isDefault ? dir : wanted} cannot be made or written.`, {
        hint: 'Name a folder this process may write to as `spool`.',
      })
    }
    await requireOwn(dir)
  }
  if (isDefault) await hideFromGit(dirname(dir))
  await removeStale(dir, Date.now())
  return dir
}

/** A spool under the system's temporary folder, the same for every process of this user: for files that are no live database. */
export function temporarySpoolDir(realPath: string): string {
  const key = createHash('sha256').update(realPath).digest('hex').slice(0, 16)
  return join(tmpdir(), `sqlite-backup-${userInfo().uid}`, `${key}-${basename(realPath)}`)
}

/** False when the file system does not let us. */
async function makeFolder(dir: string): Promise<boolean> {
  try {
    await makeDirDurably(dir)
    await access(dir, constants.W_OK | constants.X_OK)
    return true
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOENT') return false
    if (code === 'ENOSPC') {
      throw new BackupError('SPOOL_NO_SPACE', `The volume of ${dirname(dir)} is full.`, { cause: error })
    }
    throw new BackupError('SPOOL_FAILED', `The spool folder ${dir} cannot be made: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

// Anyone may create names in the temporary folder: one that was there before must be ours alone.
async function requireOwn(dir: string): Promise<void> {
  for (const folder of [dirname(dir), dir]) {
    const { uid } = await stat(folder)
    if (uid !== userInfo().uid) {
      throw new BackupError('SPOOL_FAILED', `${folder} belongs to another user.`, {
        hint: 'Name a folder of your own as `spool`.',
      })
    }
    await chmod(folder, 0o700)
  }
}

async function hideFromGit(folder: string): Promise<void> {
  await writeFile(join(folder, '.gitignore'), '*\n', { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    // A courtesy: nothing depends on it.
    if (error.code !== 'EEXIST' && error.code !== 'EACCES' && error.code !== 'ENOSPC' && error.code !== 'EROFS')
      throw error
  })
}

async function removeStale(dir: string, nowMs: number): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!LEFT_BEHIND.test(name)) continue
    const file = join(dir, name)
    const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw error
    })
    if (found?.isFile() && nowMs - found.mtimeMs > STALE_AFTER_MS) await rm(file, { force: true })
  }
}
