import { createHash } from 'node:crypto'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const prefix = '.sqlite-backup-download-'
const staleAfterMs = 24 * 60 * 60_000
const hostPart = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)

/** A folder for a plaintext copy that is about to be sent. */
export interface Scratch {
  readonly dir: string
  remove(): Promise<void>
}

/** A folder of this process in `parent`, once those that killed processes left there are gone. */
export async function openScratch(parent: string): Promise<Scratch> {
  await removeLeft(parent)
  const dir = await makeDir(parent)
  return { dir, remove: () => rm(dir, { recursive: true, force: true }) }
}

async function makeDir(parent: string): Promise<string> {
  const name = `${prefix}${hostPart}-${process.pid}-`
  try {
    return await mkdtemp(join(parent, name))
  } catch (error) {
    // The folder of a database that is gone.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return mkdtemp(join(tmpdir(), name.slice(1)))
  }
}

/** What SIGKILL in the middle of a download leaves is a copy of the database that nobody knows of. */
async function removeLeft(parent: string): Promise<void> {
  // What is wrong with the folder, making one in it tells.
  const found = await readdir(parent, { withFileTypes: true }).catch(() => [])
  const dirs = found.filter((entry) => entry.isDirectory() && entry.name.startsWith(prefix))
  // One that another user of the machine left here cannot be removed, and should not be in the way of a download.
  await Promise.allSettled(
    dirs.map(async ({ name }) => {
      const dir = join(parent, name)
      if (await isLeft(dir)) await rm(dir, { recursive: true, force: true })
    }),
  )
}

async function isLeft(dir: string): Promise<boolean> {
  const [, host, pid] = /^([0-9a-f]{8})-(\d+)-/.exec(basename(dir).slice(prefix.length)) ?? []
  const { mtimeMs } = await stat(dir)
  const ageMs = Date.now() - mtimeMs
  // Of another machine or container: nobody here can ask whether it lives.
  if (host !== hostPart) return ageMs > staleAfterMs
  // In a container that was started anew, the process before this one had its number.
  return Number(pid) === process.pid ? ageMs > process.uptime() * 1000 : !isAlive(Number(pid))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Of another user: it lives.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
