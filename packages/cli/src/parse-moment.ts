import { usageError } from './cli-error.ts'

const ago = /^(\d+(?:\.\d+)?) ?(m|h|d|w)(?: ago)?$/
const unitsMs: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** A moment as people type it: what `restore` takes for a time, and `7d` or `26h ago`. */
export async function parseMoment(text: string, nowMs: number): Promise<Date> {
  const [, amount, unit = ''] = ago.exec(text.trim()) ?? []
  const unitMs = unitsMs[unit]
  if (amount !== undefined && unitMs !== undefined) return new Date(nowMs - Number(amount) * unitMs)
  const { parseTime } = await import('@sqlite-backup/core')
  const moment = parseTime(text)
  if (moment !== undefined) return moment
  throw usageError(
    `"${text}" is not a time.`,
    'Write 2026-11-20, "2026-11-20 14:00", "2026-11-20 14:00 UTC", or 7d for a week ago.',
  )
}
