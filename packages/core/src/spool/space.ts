import { statfs } from 'node:fs/promises'

export interface Space {
  /** What this user may still write. */
  readonly freeBytes: number
  readonly totalBytes: number
}

/** The space on the volume that holds `dir`. */
export async function spaceOf(dir: string): Promise<Space> {
  const { bavail, blocks, bsize } = await statfs(dir)
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
}

const MIN_RESERVE_BYTES = 64 * 1024 * 1024

/** What we never take of a volume, so that the app's own writes go on: the larger of 64 MiB and 5 %. */
export function reserveOf({ totalBytes }: Pick<Space, 'totalBytes'>): number {
  return Math.max(MIN_RESERVE_BYTES, Math.floor(totalBytes / 20))
}
