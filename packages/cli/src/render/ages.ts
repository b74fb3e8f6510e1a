const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** A duration for people, two units at most: `85 ms`, `1.9 s`, `3 min 12 s`, `27 h`, `9 d`. */
export function formatDuration(ms: number): string {
  if (ms < 1) return '0 ms'
  if (ms < second) return `${Math.round(ms)} ms`
  if (ms < 9.95 * second) return `${(ms / second).toFixed(1).replace(/\.0$/, '')} s`
  if (ms < minute) return `${Math.round(ms / second)} s`
  if (ms < hour) return pair(ms, minute, 'min', second, 's')
  if (ms < 2 * day) return pair(ms, hour, 'h', minute, 'min')
  return pair(ms, day, 'd', hour, 'h')
}

function pair(ms: number, large: number, largeUnit: string, small: number, smallUnit: string): string {
  const wholeSmall = Math.round(ms / small)
  const perLarge = large / small
  const rest = wholeSmall % perLarge
  const head = `${Math.floor(wholeSmall / perLarge)} ${largeUnit}`
  return rest === 0 ? head : `${head} ${rest} ${smallUnit}`
}

/** How long ago, in one unit: `just now`, `12 min ago`, `27 h ago`, `8 d ago`. */
export function formatAge(ms: number): string {
  if (ms < 0) return `in ${oneUnit(-ms)}`
  if (ms < 10 * second) return 'just now'
  return `${oneUnit(ms)} ago`
}

/** An age or a limit in one unit. Hours go up to 48, so that 26 h stays 26 h. */
export function oneUnit(ms: number): string {
  if (ms < 100 * second) return `${Math.round(ms / second)} s`
  if (ms < 100 * minute) return `${Math.round(ms / minute)} min`
  if (ms < 48 * hour) return `${Math.round(ms / hour)} h`
  return `${Math.round(ms / day)} d`
}

/** A moment in UTC: `2026-11-20 13:17:05 UTC`. */
export function formatMoment(iso: string): string {
  const date = new Date(iso)
  if (Number.isNaN(date.getTime())) return iso
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC`
}
