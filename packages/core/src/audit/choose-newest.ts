/** An object of the log, as a listing has it. */
interface Listed {
  readonly writer: string
  readonly seq: number
  readonly modified?: Date | undefined
}

/**
 * Which objects of the log to read: the last one of each writer, `max` of them at most, and of all of them the `max`
 * newest. From the end of each chain without a gap, so that each link can be checked; a process that began long ago may
 * have written last, so its age says nothing. `listed`: ascending by `seq` within a writer. Pure.
 */
export function chooseNewest<T extends Listed>(listed: readonly T[], max: number): readonly T[] {
  if (listed.length <= max) return listed
  const chains = [...Map.groupBy(listed, ({ writer }) => writer).values()]
  const ends = chains.map((chain) => ({ chain, left: chain.length, timeMs: timeOf(chain.at(-1)) }))
  const byTime = [...ends].sort((a, b) => b.timeMs - a.timeMs).slice(0, max)
  const chosen = new Set(byTime.map(({ chain }) => chain.at(-1)).filter((each) => each !== undefined))
  for (let count = 0; count < max; count++) {
    const newest = byTime.reduce((a, b) => (b.timeMs > a.timeMs ? b : a))
    const next = newest.chain[--newest.left]
    if (next === undefined) break
    chosen.add(next)
    newest.timeMs = timeOf(newest.chain[newest.left - 1])
  }
  return [...chosen]
}

/** When it was stored; where a storage does not say, when its writer began. */
function timeOf(listed: Listed | undefined): number {
  if (listed === undefined) return Number.NEGATIVE_INFINITY
  if (listed.modified !== undefined) return listed.modified.getTime()
  const [, date = '', time = ''] = /^(\d{8})T(\d{6})Z/.exec(listed.writer) ?? []
  return Date.parse(`${date.replace(/(.{4})(..)/, '$1-$2-')}T${time.replace(/(..)(..)/, '$1:$2:')}Z`) || 0
}
