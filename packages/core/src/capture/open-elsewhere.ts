import { readFileSync } from 'node:fs'
import type { LiveDatabase } from './live-database.ts'

/**
 * Whether another process has a lock on the database. Undefined where the kernel does not say (no /proc/locks).
 * In a container, processes of other containers are not listed.
 */
export function isOpenElsewhere({ inode }: LiveDatabase): boolean | undefined {
  let text: string
  try {
    text = readFileSync('/proc/locks', 'utf8')
  } catch {
    return undefined
  }
  // "1: POSIX  ADVISORY  READ 1234 fe:00:131090 1073741826 1073742335"
  const fields = text.split('\n').map((line) => line.trim().split(/\s+/))
  return fields.some((field) => field[5]?.endsWith(`:${inode}`) && field[4] !== String(process.pid))
}
