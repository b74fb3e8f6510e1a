import { readlink, realpath } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'

const MAX_LINKS = 40

/**
 * Where a path leads, symbolic links followed, also when the file at the end of them does not exist yet.
 * @throws whatever the file system says about its folder, and `ELOOP`
 */
export async function followLinks(path: string): Promise<string> {
  let at = resolve(path)
  for (let links = 0; links < MAX_LINKS; links++) {
    at = join(await realpath(dirname(at)), basename(at))
    const next = await linkAt(at)
    if (next === undefined) return at
    at = resolve(dirname(at), next)
  }
  throw Object.assign(new Error(`ELOOP: too many symbolic links from ${path}`), { code: 'ELOOP' })
}

async function linkAt(path: string): Promise<string | undefined> {
  try {
    return await readlink(path)
  } catch (error) {
    // EINVAL: it is there and no link.
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'EINVAL') return undefined
    throw error
  }
}
