const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const

/** Bytes for people, in powers of 1000 and with one decimal at most: `4.1 KB`, `118 MB`. */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes)
  let unit = 0
  // 999.6 KB would be written as 1000 KB.
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  const text = value.toFixed(unit === 0 || value >= 99.95 ? 0 : 1).replace(/\.0$/, '')
  return `${bytes < 0 ? '-' : ''}${text} ${units[unit]}`
}

/** Bytes per second: `19.2 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`
}
