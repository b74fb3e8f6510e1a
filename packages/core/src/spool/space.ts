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

const shownUnits = ['B', 'KB', 'MB', 'GB', 'TB'] as const

/** Bytes for people, with one decimal at most: `4.1 KB`, `118 MB`. */
export function formatSize(bytes: number): string {
  let value = bytes
  let unit = 0
  // 999.6 KB would be written as 1000 KB.
  while (value >= 999.5 && unit < shownUnits.length - 1) {
    value /= 1000
    unit++
  }
  return `${value.toFixed(unit === 0 || value >= 99.95 ? 0 : 1).replace(/\.0$/, '')} ${shownUnits[unit]}`
}
