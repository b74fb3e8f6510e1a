/** Something that a restore moved out of the way instead of deleting it. */
export interface KeptAside {
  /** The file first, then what SQLite had beside it. */
  readonly files: readonly string[]
  readonly keptAtMs: number
}

const DAY_MS = 24 * 3600_000
const MAX_AGE_MS = 7 * DAY_MS
/** More than these go sooner, but never on their first day: in a crash loop the oldest is the one that is wanted. */
const MAX_COUNT = 5

/** Of what was kept for one database, what goes: never the newest, nothing of the last day, all after a week. */
export function decideExpired<T extends KeptAside>(kept: readonly T[], nowMs: number): readonly T[] {
  const newestFirst = [...kept].sort((a, b) => b.keptAtMs - a.keptAtMs)
  return newestFirst.slice(1).filter(({ keptAtMs }, index) => {
    const maxAgeMs = index + 1 < MAX_COUNT ? MAX_AGE_MS : DAY_MS
    return nowMs - keptAtMs > maxAgeMs
  })
}
