import type { Tier } from '../catalog/manifest.ts'
import type { RetentionPolicy } from '../config/retention.ts'
import type { KeepReason, RemoveReason } from '../engine-api.ts'

/** What is known about one backup in one storage. */
export interface RetentionFacts {
  readonly id: string
  readonly created: Date
  readonly tier: Tier
  /** Its bytes were read back and hashed, or more, and nothing was found since. */
  readonly isChecked?: boolean
  /** It failed a verification, or its body is gone. */
  readonly isBad?: boolean
  /** Its manifest is damaged, or of a newer version: not to be trusted with anything, nor to be deleted unseen. */
  readonly isUnreadable?: boolean
  /** Somebody said so. */
  readonly isKept?: boolean
  /** The end of one of two branches. */
  readonly isTip?: boolean
  /** It is being restored or verified. */
  readonly isInUse?: boolean
}

export type Decision<B extends RetentionFacts = RetentionFacts> =
  | { readonly backup: B; readonly action: 'keep'; readonly reasons: readonly KeepReason[] }
  | { readonly backup: B; readonly action: 'remove'; readonly reasons: readonly RemoveReason[] }

export interface RetentionOptions {
  readonly now: Date
}

/**
 * Decides about every backup of one database in one storage; the answers come newest first.
 *
 * Whatever the policy says, these stay: the newest one, also without those of the future, without bad ones, and without
 * copies of what a restore replaced; the newest checked one, likewise; kept ones; both tips of a fork; what is in use;
 * what was made in the future; what cannot be read. Without a policy all stay. Bad, unreadable and future ones take no
 * place among the counted.
 */
export function decideRetention<B extends RetentionFacts>(
  backups: readonly B[],
  policy: RetentionPolicy | undefined,
  options: RetentionOptions,
): readonly Decision<B>[] {
  const decide = createDecider(policy, options)
  return [...backups].sort(newestFirst).map((backup) => decide(backup))
}

/** The same for backups that come one by one, newest first: so a catalog of any length is decided as it is read. */
export function createDecider(
  policy: RetentionPolicy | undefined,
  { now }: RetentionOptions,
): <B extends RetentionFacts>(backup: B) => Decision<B> {
  const nowMs = now.getTime()
  const seen = new Set<string>()
  const isFirst = (what: string): boolean => !seen.has(what) && seen.add(what) !== undefined
  let counted = 0
  const countedOf = new Map<Tier, number>()

  return (backup) => {
    const { tier, created, isUnreadable = false, isChecked = false } = backup
    const isBad = backup.isBad === true || isUnreadable
    const ageMs = nowMs - created.getTime()
    const isFuture = ageMs < 0
    const isReplaced = tier === 'pre-restore'
    const reasons = new Set<KeepReason>()

    // No && between these: each looks at its own first one.
    if (isFirst('any')) reasons.add('newest')
    if (!isFuture && isFirst('past')) reasons.add('newest')
    if (!isFuture && !isBad && isFirst('good')) reasons.add('newest')
    if (!isFuture && !isBad && !isReplaced && isFirst('good state')) reasons.add('newest')
    if (isChecked && !isBad) {
      if (isFirst('checked')) reasons.add('newest-checked')
      if (!isFuture && isFirst('past checked')) reasons.add('newest-checked')
      if (!isFuture && !isReplaced && isFirst('past checked state')) reasons.add('newest-checked')
    }
    if (backup.isKept) reasons.add('kept')
    if (backup.isTip) reasons.add('fork')
    if (backup.isInUse) reasons.add('in-use')
    if (isFuture) reasons.add('future')
    if (isUnreadable) reasons.add('unreadable')
    if (policy === undefined) reasons.add('no-retention')

    if (policy === undefined || isFuture) return { backup, action: 'keep', reasons: [...reasons] }
    const rule = policy.tiers[tier]
    if (rule.ageMs === null || ageMs < rule.ageMs) reasons.add('tier-age')
    if (!isBad) {
      const inTier = (countedOf.get(tier) ?? 0) + 1
      countedOf.set(tier, inTier)
      counted += 1
      if (rule.count === null || inTier <= rule.count) reasons.add('tier-count')
      if (policy.keepLast === null || counted <= policy.keepLast) reasons.add('keep-last')
    }
    if (reasons.size > 0) return { backup, action: 'keep', reasons: [...reasons] }
    return { backup, action: 'remove', reasons: whyRemoved(rule) }
  }
}

function whyRemoved({ ageMs, count }: RetentionPolicy['tiers'][Tier]): readonly RemoveReason[] {
  if (ageMs === 0 && count === 0) return ['tier-keeps-none']
  return [...(ageMs === 0 ? [] : ['too-old' as const]), ...(count === 0 ? [] : ['too-many' as const])]
}

function newestFirst(a: RetentionFacts, b: RetentionFacts): number {
  return b.created.getTime() - a.created.getTime() || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)
}
