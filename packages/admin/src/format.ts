const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const

/** Bytes for people, in powers of 1000: `4.1 KB`, `118 MB`. The command line says the same. */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes)
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  const text = value.toFixed(unit === 0 || value >= 99.95 ? 0 : 1).replace(/\.0$/, '')
  return `${bytes < 0 ? '-' : ''}${text} ${units[unit]}`
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** A span in words and one unit: `40 seconds`, `1 minute`, `26 hours`, `9 days`. */
export function formatSpan(ms: number): string {
  if (ms < 100_000) return plural(Math.max(0, Math.round(ms / 1000)), 'second')
  if (ms < 100 * minute) return plural(Math.round(ms / minute), 'minute')
  if (ms < 48 * hour) return plural(Math.round(ms / hour), 'hour')
  return plural(Math.round(ms / day), 'day')
}

/** How long ago: `just now`, `12 minutes ago`. */
export function formatAge(ms: number): string {
  if (ms < 0) return `in ${formatSpan(-ms)}`
  return ms < 10_000 ? 'just now' : `${formatSpan(ms)} ago`
}

/** How long something took: `85 ms`, `1.9 s`, `3 min 12 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 10_000) return `${(ms / 1000).toFixed(1).replace(/\.0$/, '')} s`
  if (ms < minute) return `${Math.round(ms / 1000)} s`
  const seconds = Math.round(ms / 1000)
  if (ms < hour) return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's')
  const minutes = Math.round(ms / minute)
  return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min')
}

export function plural(count: number, thing: string): string {
  return `${count.toLocaleString('en')} ${thing}${count === 1 ? '' : 's'}`
}

/** `2026-11-20 13:17 UTC` */
export function formatMoment(iso: string): string {
  return `${iso.slice(0, 16).replace('T', ' ')} UTC`
}

function pair(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`
}
