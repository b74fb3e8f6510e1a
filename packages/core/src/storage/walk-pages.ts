import { throwIfAborted } from './abort.ts'
import type { Clock } from './clock.ts'
import type { ListOptions } from './storage.ts'
import { type WalkOptions, walkFolder } from './walk-folder.ts'

export interface WalkPages {
  /** Up to `limit` lines, and the cursor of the page behind them, if there is one. */
  next(options: WalkOptions, limit: number): Promise<WalkPage>
}

interface WalkPage {
  readonly lines: readonly string[]
  readonly cursor?: string
}

/** A walk that paused behind a page; `ahead` is the first line of the next one. */
interface PausedWalk {
  readonly id: string
  readonly atMs: number
  readonly lines: AsyncIterator<string, void, void>
  readonly ahead: string
}

// What was read of a folder so long ago is not to be shown as its present state.
const KEEP_MS = 10_000

/**
 * The pages of listings of the files below `root`. The walk behind the last page is kept for the next one:
 * a folder of 100,000 files would otherwise be read once per page. Any page can also be had without it.
 */
export function walkPages(root: string, clock: Clock): WalkPages {
  let paused: PausedWalk | undefined

  return {
    async next(options, limit) {
      const kept = paused?.id === idOf(options, options.cursor) ? paused : undefined
      const isFresh = kept !== undefined && clock.now() - kept.atMs < KEEP_MS
      const walked = isFresh ? kept.lines : walkFolder(root, options)
      const lines: string[] = isFresh ? [kept.ahead] : []
      paused = undefined
      for (;;) {
        throwIfAborted(options.signal)
        const { done, value } = await walked.next()
        if (done) return { lines }
        if (lines.length === limit) {
          const cursor = lines.at(-1) ?? value
          paused = { id: idOf(options, cursor), atMs: clock.now(), lines: walked, ahead: value }
          return { lines, cursor }
        }
        lines.push(value)
      }
    },
  }
}

function idOf({ prefix, after, delimiter }: ListOptions, cursor: string | undefined): string {
  return JSON.stringify([prefix, after, delimiter, cursor])
}
