import { lstat, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { randomPattern } from '../catalog/backup-id.ts'
import { messageOf } from '../errors.ts'
import { followLinks } from '../spool/follow-links.ts'
import { formatSize } from '../spool/space.ts'
import { decideExpired, type KeptAside } from './decide-expired.ts'

export interface ExpireKept {
  /** The database file, or the file that was restored to. */
  readonly target: string
  /** Never removed, whatever their name: files that are databases of the configuration. */
  readonly spare?: readonly string[]
  readonly nowMs: number
}

const ABANDONED_AFTER_MS = 24 * 3600_000

interface Kept extends KeptAside {
  readonly sizeBytes: number
}

/**
 * Removes what earlier restores moved out of the way beside a database, once it is old: {@link decideExpired}. Only names
 * that we gave ourselves; a file that was renamed, or that SQLite has open, is somebody's and stays.
 *
 * @returns what to say: each file that is gone, and each that could not be removed. Never throws: it is housekeeping.
 */
export async function expireKept({ target, spare = [], nowMs }: ExpireKept): Promise<readonly string[]> {
  const said: string[] = []
  try {
    const path = await followLinks(target)
    const names = await readdir(dirname(path))
    const spared = await Promise.all(spare.map((file) => followLinks(file).catch(() => file)))
    const kinds = await Promise.all([setAside(path, names), replaced(path, names)])
    for (const { files, keptAtMs, sizeBytes } of kinds.flatMap((kept) => decideExpired(kept, nowMs))) {
      if (files.some((file) => spared.includes(file) || isOpened(file, names))) continue
      for (const file of files) await rm(file, { force: true })
      const days = Math.floor((nowMs - keptAtMs) / (24 * 3600_000))
      said.push(
        `Removed ${files.join(', ')} (${formatSize(sizeBytes)}): a restore moved it out of the way ${days} days ago.`,
      )
    }
    for (const { files, keptAtMs } of await present(halfWritten(path, names))) {
      if (nowMs - keptAtMs > ABANDONED_AFTER_MS) for (const file of files) await rm(file, { force: true })
    }
  } catch (error) {
    // A folder that is not there has nothing to remove.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      said.push(`What earlier restores kept beside ${target} could not be cleared away: ${messageOf(error)}`)
  }
  return said
}

/** Files that were in the way: `app.db.set-aside-1a2b3c4d`, and its companions with the same mark. */
async function setAside(path: string, names: readonly string[]): Promise<readonly Kept[]> {
  const marks = new Map<string, string[]>()
  for (const name of ownNames(path, names)) {
    const [, mark] = /^(?:-wal|-shm|-journal)?\.set-aside-([0-9a-f]{8})$/.exec(name.rest) ?? []
    if (mark !== undefined) marks.set(mark, [...(marks.get(mark) ?? []), name.file])
  }
  return present([...marks.values()])
}

const replacedPattern = new RegExp(`^\\.before-\\d{8}T\\d{6}Z-${randomPattern}(?:-\\d+)?$`)

/** What `--overwrite` replaced: `copy.db.before-20261120T030000Z-k3v7qa2m`. */
async function replaced(path: string, names: readonly string[]): Promise<readonly Kept[]> {
  return present(
    ownNames(path, names)
      .filter(({ rest }) => replacedPattern.test(rest))
      .map(({ file }) => [file]),
  )
}

/** Images of restores that were killed: `tempNameFor`. Useless to anybody, so there is nothing to say. */
function halfWritten(path: string, names: readonly string[]): readonly (readonly string[])[] {
  const start = `.${basename(path).slice(0, 40)}.`
  return names
    .filter((each) => each.startsWith(start))
    .filter((each) => /^[0-9a-f]{12}\.tmp(?:-journal|-wal|-shm)?$/.test(each.slice(start.length)))
    .map((each) => [join(dirname(path), each)])
}

function ownNames(path: string, names: readonly string[]) {
  const name = basename(path)
  return names
    .filter((each) => each.startsWith(name))
    .sort()
    .map((each) => ({ rest: each.slice(name.length), file: join(dirname(path), each) }))
}

function isOpened(file: string, names: readonly string[]): boolean {
  return ['-wal', '-shm', '-journal'].some((suffix) => names.includes(basename(file) + suffix))
}

async function present(groups: readonly (readonly string[])[]): Promise<readonly Kept[]> {
  const kept = await Promise.all(
    groups.map(async (files): Promise<readonly Kept[]> => {
      const stats = await Promise.all(files.map((file) => lstat(file)))
      if (!stats.every((each) => each.isFile())) return []
      // A rename leaves the time of the content as it was, which may be years ago; it changes that of the inode.
      const keptAtMs = Math.max(...stats.flatMap(({ mtimeMs, ctimeMs }) => [mtimeMs, ctimeMs]))
      return [{ files, keptAtMs, sizeBytes: stats.reduce((sum, { size }) => sum + size, 0) }]
    }),
  )
  return kept.flat()
}
