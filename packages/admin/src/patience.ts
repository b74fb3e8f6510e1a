import { BackupError } from '@sqlite-backup/core'
import { formatDuration } from './format.ts'

/** How long pages wait for a storage that says nothing: neither yes nor no. */
export interface Patience {
  /**
   * What the storage of this name answers.
   * @throws BackupError `UNAVAILABLE` when it takes too long
   */
  wait<T>(storage: string, ask: (signal: AbortSignal) => Promise<T>): Promise<T>
}

// One that was waited for in vain gets less time for a while: each page would be as late as the one before.
const SILENT_MS = 60_000
const SHORT_WAIT_MS = 1_000

export function createPatience(waitMs: number, now: () => Date): Patience {
  const silentSince = new Map<string, number>()
  return {
    async wait(storage, ask) {
      const since = silentSince.get(storage)
      const isSilent = since !== undefined && now().getTime() - since < SILENT_MS
      const ms = isSilent ? Math.min(waitMs, SHORT_WAIT_MS) : waitMs
      const given = new AbortController()
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          if (!isSilent) silentSince.set(storage, now().getTime())
          reject(
            new BackupError('UNAVAILABLE', `${storage} did not answer within ${formatDuration(ms)}.`, {
              hint: 'It may be slow, or cut off from here. The other storages are not affected.',
            }),
          )
          given.abort()
        }, ms)
      })
      try {
        const answer = await Promise.race([ask(given.signal), late])
        silentSince.delete(storage)
        return answer
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
