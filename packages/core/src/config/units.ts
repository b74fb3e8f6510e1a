import { BackupError } from '../errors.ts'

const durationUnits = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
const sizeUnits = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
} as const

/** A span of time with its unit: `'500ms'`, `'5s'`, `'15m'`, `'26h'`, `'7d'`, `'2w'`. */
export type Duration = `${number}${keyof typeof durationUnits}`
/** A number of bytes with its unit: `'64MB'` is 64,000,000 and `'64MiB'` 67,108,864. */
export type Size = `${number}${keyof typeof sizeUnits}`

const quantity = /^(\d+(?:\.\d+)?) ?([A-Za-z]+)$/

/** Milliseconds of a {@link Duration}. @throws BackupError `CONFIG_INVALID` */
export function parseDuration(text: string): number {
  return parse(text, durationUnits, 'a duration like 5s, 15m, 26h or 7d')
}

/** Bytes of a {@link Size}. @throws BackupError `CONFIG_INVALID` */
export function parseSize(text: string): number {
  return parse(text, sizeUnits, 'a size like 64MB, 512MiB or 20GB')
}

function parse(text: string, units: Readonly<Record<string, number>>, wanted: string): number {
  const [, amount, unit] = quantity.exec(text) ?? []
  const factor = unit !== undefined && Object.hasOwn(units, unit) ? units[unit] : undefined
  const value = amount === undefined || factor === undefined ? Number.NaN : Math.round(Number(amount) * factor)
  if (Number.isSafeInteger(value)) return value
  throw new BackupError('CONFIG_INVALID', `"${text}" is not ${wanted}.`, {
    hint: `Units are ${Object.keys(units).join(', ')}.`,
  })
}
