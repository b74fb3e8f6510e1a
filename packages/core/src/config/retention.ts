import { type Tier, tiers } from '../catalog/manifest.ts'
import { BackupError } from '../errors.ts'
import { defaults } from './defaults.ts'
import { type Duration, parseDuration } from './units.ts'

/** `'30d'`: for so long. `24`: the newest 24. `null`: for ever. `0`: none. A list: as long as one of them says so. */
export type RetentionRule = Duration | number | null | readonly (Duration | number | null)[]

/** How long backups are kept, by tier. What is left out is as in the table of defaults; what is said replaces it. */
export type RetentionConfig = {
  /** The newest of all tiers together. @default 1 */
  readonly keepLast?: number | null
} & { readonly [T in Tier]?: RetentionRule }

/** What one tier keeps: what is younger than `ageMs`, and the newest `count` of it. `null` is without limit. */
export interface ResolvedRule {
  readonly ageMs: number | null
  readonly count: number | null
}

/** The policy with every value decided. Plain JSON. */
export interface RetentionPolicy {
  readonly keepLast: number | null
  readonly tiers: Readonly<Record<Tier, ResolvedRule>>
}

/** @throws BackupError `CONFIG_INVALID` */
export function resolveRetention(config: RetentionConfig): RetentionPolicy {
  const { keepLast = defaults.retention.keepLast } = config
  const rules = tiers.map((tier) => [tier, ruleOf(tier, config[tier])] as const)
  return {
    keepLast: keepLast === null ? null : requireCount('retention.keepLast', keepLast),
    tiers: Object.fromEntries(rules) as Record<Tier, ResolvedRule>,
  }
}

function ruleOf(tier: Tier, stated: RetentionRule | undefined): ResolvedRule {
  // An empty list says nothing, and nothing is the default.
  const isStated = stated !== undefined && !(isList(stated) && stated.length === 0)
  const rule: RetentionRule = isStated ? stated : defaults.retention[tier]
  return (isList(rule) ? rule : [rule]).map((each) => simpleRule(tier, each)).reduce(either)
}

function simpleRule(tier: Tier, rule: Duration | number | null): ResolvedRule {
  if (rule === null) return { ageMs: null, count: 0 }
  if (typeof rule === 'number') return { ageMs: 0, count: requireCount(`retention.${tier}`, rule) }
  return { ageMs: parseDuration(rule), count: 0 }
}

function either(a: ResolvedRule, b: ResolvedRule): ResolvedRule {
  return { ageMs: larger(a.ageMs, b.ageMs), count: larger(a.count, b.count) }
}

function larger(a: number | null, b: number | null): number | null {
  return a === null || b === null ? null : Math.max(a, b)
}

function isList(rule: RetentionRule): rule is readonly (Duration | number | null)[] {
  return Array.isArray(rule)
}

function requireCount(name: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count
  throw new BackupError('CONFIG_INVALID', `${name} should be a whole number of backups, not ${count}.`, {
    hint: 'For ever is null.',
  })
}
