import { usageError } from './cli-error.ts'

const ago = /^(\d+(?:\.\d+)?) ?(m|h|d|w)(?: ago)?$/
const unitsMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }
const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/i
const dateAlone = /^\d{4}-\d\d-\d\d$/

/** A moment as people type it: `2026-11-20`, `2026-11-20 14:00` (UTC unless it says otherwise), `7d`, `26h ago`. */
export function parseMoment(text: string, nowMs: number): Date {
  const [, amount, unit = ''] = ago.exec(text.trim()) ?? []
  const unitMs = unitsMs[unit]
  if (amount !== undefined && unitMs !== undefined) return new Date(nowMs - Number(amount) * unitMs)

  const iso = text
    .trim()
    .replace(/^(\d{4}-\d\d-\d\d) (\d)/, '$1T$2')
    .replace(/ ?UTC$/i, 'Z')
  const moment = new Date(hasZone.test(iso) || dateAlone.test(iso) ? iso : `${iso}Z`)
  if (!/^\d{4}-/.test(iso) || Number.isNaN(moment.getTime())) {
    throw usageError(`"${text}" is not a time.`, 'Write 2026-11-20, "2026-11-20 14:00" (UTC), or 7d for a week ago.')
  }
  return moment
}
