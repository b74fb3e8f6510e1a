import { createHash } from 'node:crypto'
import { access, chmod, constants, lstat, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, sep } from 'node:path'
import { BackupError, messageOf } from '../errors.ts'
import { isFolder, makeDirDurably } from './durable.ts'
import { followLinks } from './follow-links.ts'

export interface SpoolLocation {
  /** The database file. */
  readonly path: string
  /** Where its spool should be. */
  readonly spoolDir: string
}

const OTHERS_MAY_WRITE = 0o022
const STALE_AFTER_MS = 24 * 3600_000
/** Half-written bodies, raw copies and temporary files: what a killed process leaves. */
const LEFT_BEHIND = /\.(body|raw|tmp|draft)$/

/** The spool of a database unless configured: `.sqlite-backup/<file>` beside it. */
export function defaultSpoolDir(path: string): string {
  return join(dirname(path), '.sqlite-backup', basename(path))
}

/**
 * Makes the spool folder of a database: only its owner may enter. When it cannot be made, because the database's folder is read-only or belongs to somebody else, it is one under the
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
  }
  await requireOwn(dir)
  if (isDefault) await hideFromGit(dirname(dir))
  return dir
}

/** A spool under the system's temporary folder, the same for every process of this user: for files that are no live database. */
export function temporarySpoolDir(realPath: string): string {
  const key = createHash('sha256').update(realPath).digest('hex').slice(0, 16)
  return join(temporaryRoot(), `${key}-${basename(realPath)}`)
}

function temporaryRoot(): string {
  return join(tmpdir(), `sqlite-backup-${ownUid()}`)
}

/** Not by `userInfo`, which throws for a user without a name, as containers have them. */
function ownUid(): number {
  return process.geteuid?.() ?? -1
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

/**
 * Anyone may create names in the temporary folder, and what lies in a spool is believed: files it names are deleted and
 * moved. So a folder there that was made before must be ours, and nobody else may ever have written into it.
 */
async function requireOwn(dir: string): Promise<void> {
  const root = temporaryRoot()
  const below = relative(root, dir)
  if (below === '..' || below.startsWith(`..${sep}`)) return
  const folders = [root]
  for (const name of below.split(sep).filter((each) => each !== '')) folders.push(join(folders.at(-1) ?? root, name))
  for (const folder of folders) {
    const stats = await lstat(folder)
    if (!stats.isDirectory() || stats.uid !== ownUid() || (stats.mode & OTHERS_MAY_WRITE) !== 0) {
      const whose = stats.uid === ownUid() ? 'can be written by others' : 'belongs to another user'
      throw new BackupError('SPOOL_FAILED', `${folder} ${stats.isDirectory() ? whose : 'is no folder'}.`, {
        hint: 'Have it removed, or let TMPDIR name a temporary folder of your own.',
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

/**
 * Removes what killed runs left in a spool long ago. To be called with its lock held: the body of a backup that takes
 * days to upload looks just like one that was left behind.
 */
export async function removeStale(dir: string, nowMs = Date.now()): Promise<void> {
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
