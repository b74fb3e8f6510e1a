import type { Tier } from './manifest.ts'

/** The tiers a schedule gives, lowest first; the others say why a backup was made. */
export const scheduledTiers = ['recent', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const satisfies Tier[]
export type ScheduledTier = (typeof scheduledTiers)[number]

/** The scheduled tiers that have a period, highest first. */
export const periodTiers = ['yearly', 'monthly', 'weekly', 'daily', 'hourly'] as const satisfies ScheduledTier[]
export type PeriodTier = (typeof periodTiers)[number]

/**
 * The tier of a scheduled backup: the highest whose period around `at` (UTC; weeks are ISO 8601's, Monday to Sunday)
 * has no good backup yet, where a backup of a higher tier serves the lower ones too.
 * `existing` are the good backups so far; those outside the periods do no harm.
 */
export function pickTier(
  at: Date,
  existing: readonly { readonly tier: Tier; readonly created: Date }[],
): ScheduledTier {
  for (const [rank, tier] of periodTiers.entries()) {
    const { start, end } = periodOf(tier, at)
    const serving: readonly Tier[] = periodTiers.slice(0, rank + 1)
    const isHeld = existing.some((each) => serving.includes(each.tier) && each.created >= start && each.created < end)
    if (!isHeld) return tier
  }
  return 'recent'
}

/** The period of a tier around a moment, in UTC: from `start` up to, and without, `end`. */
export function periodOf(tier: PeriodTier, at: Date): { readonly start: Date; readonly end: Date } {
  const year = at.getUTCFullYear()
  const month = at.getUTCMonth()
  const day = at.getUTCDate()
  const between = (start: number, end: number) => ({ start: new Date(start), end: new Date(end) })
  if (tier === 'yearly') return between(Date.UTC(year, 0), Date.UTC(year + 1, 0))
  if (tier === 'monthly') return between(Date.UTC(year, month), Date.UTC(year, month + 1))
  if (tier === 'weekly') {
    const monday = day - ((at.getUTCDay() + 6) % 7)
    return between(Date.UTC(year, month, monday), Date.UTC(year, month, monday + 7))
  }
  if (tier === 'daily') return between(Date.UTC(year, month, day), Date.UTC(year, month, day + 1))
  const hour = at.getUTCHours()
  return between(Date.UTC(year, month, day, hour), Date.UTC(year, month, day, hour + 1))
}
