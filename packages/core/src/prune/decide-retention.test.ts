// The oracle below says the same as docs/6-prune.md in another way: rule by rule over the whole list, with sorting and
// no state. Both must agree about every list, policy and clock.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Tier, tiers } from '../catalog/manifest.ts'
import { pickTier } from '../catalog/tier.ts'
import { type RetentionConfig, resolveRetention } from '../config/retention.ts'
import { decideRetention, type RetentionFacts } from './decide-retention.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const now = new Date('2026-11-20T12:00:00.000Z')

function backup(ageMs: number, facts: Partial<RetentionFacts> = {}): RetentionFacts {
  const created = new Date(now.getTime() - ageMs)
  return { id: `${created.toISOString()}-${facts.tier ?? 'hourly'}`, created, tier: 'hourly', ...facts }
}

function keptIds(backups: readonly RetentionFacts[], config: RetentionConfig | undefined, at = now): readonly string[] {
  const policy = config === undefined ? undefined : resolveRetention(config)
  return decideRetention(backups, policy, { now: at })
    .filter(({ action }) => action === 'keep')
    .map((decision) => decision.backup.id)
}

function reasonsOf(backups: readonly RetentionFacts[], config: RetentionConfig, id: string): readonly string[] {
  const found = decideRetention(backups, resolveRetention(config), { now }).find((each) => each.backup.id === id)
  return found === undefined ? [] : [found.action, ...found.reasons]
}

// As small as a policy can be.
const keepNothing: RetentionConfig = { keepLast: 0, ...Object.fromEntries(tiers.map((tier) => [tier, 0])) }

describe('decideRetention', () => {
  test('removes nothing until a policy is stated', () => {
    const backups = [backup(0), backup(1000 * DAY), backup(9000 * DAY, { isBad: true })]
    expect(keptIds(backups, undefined)).toHaveLength(3)
  })

  test('keeps the newest even when the policy keeps nothing', () => {
    expect(keptIds([backup(DAY), backup(2 * DAY), backup(3 * DAY)], keepNothing)).toEqual([backup(DAY).id])
  })

  test('keeps the newest checked backup even when the policy keeps nothing', () => {
    const checked = backup(3 * DAY, { isChecked: true })
    const backups = [backup(DAY), backup(2 * DAY), checked, backup(4 * DAY, { isChecked: true })]
    expect(keptIds(backups, keepNothing)).toEqual([backup(DAY).id, checked.id])
    expect(reasonsOf(backups, keepNothing, checked.id)).toEqual(['keep', 'newest-checked'])
  })

  test('a bad backup is never the newest checked one, nor the only newest', () => {
    const backups = [
      backup(DAY, { isBad: true, isChecked: true }),
      backup(2 * DAY),
      backup(3 * DAY, { isChecked: true }),
      backup(4 * DAY),
    ]
    expect(keptIds(backups, keepNothing)).toEqual(backups.slice(0, 3).map(({ id }) => id))
  })

  test('what a restore replaced is not the newest state', () => {
    const backups = [
      backup(DAY, { tier: 'pre-restore', isChecked: true }),
      backup(2 * DAY),
      backup(3 * DAY, { isChecked: true }),
    ]
    expect(keptIds(backups, keepNothing)).toHaveLength(3)
  })

  test.each([
    ['kept', { isKept: true }],
    ['fork', { isTip: true }],
    ['in-use', { isInUse: true }],
    ['unreadable', { isUnreadable: true }],
  ] as const)('what is %s stays, however old and bad', (reason, facts) => {
    const special = backup(9000 * DAY, { ...facts, isBad: true })
    expect(reasonsOf([backup(0), special, backup(9001 * DAY)], keepNothing, special.id)).toEqual(['keep', reason])
  })

  test('a backup of the future stays, and is not taken for the newest of the present', () => {
    const future = backup(-365 * DAY, { isChecked: true })
    const backups = [future, backup(DAY), backup(2 * DAY, { isChecked: true }), backup(3 * DAY)]
    expect(keptIds(backups, keepNothing)).toEqual(backups.slice(0, 3).map(({ id }) => id))
  })

  test('zero keeps none, null keeps for ever, and what is missing is as in the defaults', () => {
    const old = [backup(0, { tier: 'manual' }), ...[1, 6, 8, 400].map((days) => backup(days * DAY, { tier: 'daily' }))]
    const kept = (config: RetentionConfig): number => keptIds(old, { keepLast: 0, ...config }).length - 1
    expect(kept({ daily: 0 })).toBe(0)
    expect(kept({ daily: '0d' })).toBe(0)
    expect(kept({ daily: null })).toBe(4)
    expect(kept({})).toBe(3)
    expect(kept({ daily: '7d' })).toBe(2)
    expect(kept({ daily: 1 })).toBe(1)
    expect(kept({ daily: [1, '7d'] })).toBe(2)
    expect(kept({ daily: [3, '7d'] })).toBe(3)
    expect(kept({ daily: 0, keepLast: 3 })).toBe(2)
    expect(kept({ daily: 0, keepLast: null })).toBe(4)
  })

  test('exactly as old as allowed is too old', () => {
    const backups = [backup(0, { tier: 'manual' }), backup(7 * DAY - 1), backup(7 * DAY)]
    expect(reasonsOf(backups, { keepLast: 0 }, backup(7 * DAY - 1).id)).toEqual(['keep', 'tier-age'])
    expect(reasonsOf(backups, { keepLast: 0 }, backup(7 * DAY).id)).toEqual(['remove', 'too-old'])
  })

  test('says why a backup goes', () => {
    const backups = [backup(0, { tier: 'manual' }), backup(DAY), backup(50 * DAY)]
    const why = (hourly: RetentionConfig['hourly']) => reasonsOf(backups, { keepLast: 0, hourly }, backup(50 * DAY).id)
    expect(why(0)).toEqual(['remove', 'tier-keeps-none'])
    expect(why('7d')).toEqual(['remove', 'too-old'])
    expect(why(1)).toEqual(['remove', 'too-many'])
    expect(why([1, '7d'])).toEqual(['remove', 'too-old', 'too-many'])
  })
})

/** Rule by rule, each over the whole list. */
function oracle(backups: readonly RetentionFacts[], config: RetentionConfig, at: Date): ReadonlySet<RetentionFacts> {
  const sorted = [...backups].sort((a, b) =>
    a.created < b.created || (+a.created === +b.created && a.id < b.id) ? 1 : -1,
  )
  const past = sorted.filter(({ created }) => created <= at)
  const good = past.filter(({ isBad, isUnreadable }) => !isBad && !isUnreadable)
  const states = (list: readonly RetentionFacts[]) => list.filter(({ tier }) => tier !== 'pre-restore')
  const checked = (list: readonly RetentionFacts[]) =>
    list.filter(({ isChecked, isBad, isUnreadable }) => isChecked && !isBad && !isUnreadable)
  const keep = new Set<RetentionFacts | undefined>([
    sorted[0],
    past[0],
    good[0],
    states(good)[0],
    checked(sorted)[0],
    checked(past)[0],
    states(checked(past))[0],
    ...sorted.filter((each) => each.isKept || each.isTip || each.isInUse || each.isUnreadable || each.created > at),
    ...(config.keepLast === null ? good : good.slice(0, config.keepLast ?? 1)),
  ])
  const table: Record<Tier, string | null> = {
    recent: '1d',
    hourly: '7d',
    daily: '30d',
    weekly: '90d',
    monthly: '366d',
    yearly: null,
    manual: '30d',
    'pre-migration': '30d',
    'pre-restore': '7d',
    shutdown: '7d',
    milestone: '366d',
  }
  for (const tier of tiers) {
    const stated = config[tier]
    const rules =
      Array.isArray(stated) && stated.length > 0
        ? stated
        : [stated === undefined || Array.isArray(stated) ? table[tier] : stated]
    const mine = past.filter((each) => each.tier === tier)
    for (const rule of rules) {
      if (rule === null) for (const each of mine) keep.add(each)
      else if (typeof rule === 'number')
        for (const each of mine.filter(({ isBad }) => !isBad).slice(0, rule)) keep.add(each)
      else {
        const limit = at.getTime() - Number(rule.replace('d', '')) * DAY
        for (const each of mine) if (each.created.getTime() > limit) keep.add(each)
      }
    }
  }
  keep.delete(undefined)
  return keep as ReadonlySet<RetentionFacts>
}

const anyFacts: fc.Arbitrary<RetentionFacts> = fc.record({
  // Some at the very same moment, some in the future.
  created: fc.oneof(
    fc.integer({ min: -20, max: 900 }).map((days) => new Date(now.getTime() - days * DAY)),
    fc.integer({ min: -DAY, max: 500 * DAY }).map((ms) => new Date(now.getTime() - ms)),
  ),
  id: fc.uuid(),
  tier: fc.constantFrom(...tiers),
  isChecked: fc.boolean(),
  isBad: fc.boolean(),
  isKept: fc.constant(false),
  isTip: fc.constant(false),
  isInUse: fc.constant(false),
  isUnreadable: fc.constant(false),
})
const special = fc.constantFrom('isKept', 'isTip', 'isInUse', 'isUnreadable', 'none', 'none', 'none', 'none', 'none')
const anyBackups = fc
  .array(fc.tuple(anyFacts, special), { maxLength: 60 })
  .map((list) => list.map(([facts, name]) => (name === 'none' ? facts : { ...facts, [name]: true })))
const simple = fc.oneof(
  fc.constant(null),
  fc.constant(0),
  fc.integer({ min: 0, max: 12 }),
  fc.integer({ min: 0, max: 400 }).map((days) => `${days}d` as const),
)
const anyRule = fc.oneof(simple, fc.array(simple, { maxLength: 3 }))
const anyPolicy: fc.Arbitrary<RetentionConfig> = fc
  .tuple(
    fc.option(fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 10 })), { nil: undefined }),
    fc.dictionary(fc.constantFrom(...tiers), anyRule),
  )
  .map(([keepLast, rules]) => ({ ...rules, ...(keepLast === undefined ? {} : { keepLast }) }))
const anyClock = fc
  .integer({ min: -3000, max: 3000 })
  .map((days) => new Date(now.getTime() + days * DAY))
  .chain((jumped) => fc.constantFrom(now, now, jumped))

describe('for every list, policy and clock, decideRetention', () => {
  test('agrees with the oracle', () => {
    fc.assert(
      fc.property(anyBackups, anyPolicy, anyClock, (backups, config, at) => {
        const wanted = oracle(backups, config, at)
        const decisions = decideRetention(backups, resolveRetention(config), { now: at })
        expect(decisions).toHaveLength(backups.length)
        for (const { backup: each, action } of decisions) {
          expect([each.id, action]).toEqual([each.id, wanted.has(each) ? 'keep' : 'remove'])
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('never takes the newest, the newest checked, kept ones, tips, what is in use, and the future', () => {
    fc.assert(
      fc.property(anyBackups, anyPolicy, anyClock, (backups, config, at) => {
        const removed = decideRetention(backups, resolveRetention(config), { now: at })
          .filter(({ action }) => action === 'remove')
          .map((decision) => decision.backup)
        const newest = Math.max(...backups.map(({ created }) => created.getTime()))
        for (const each of removed) {
          expect(each.isKept || each.isTip || each.isInUse || each.isUnreadable || each.created > at).toBe(false)
          expect(backups.some((other) => other !== each && other.created.getTime() === newest)).toBe(true)
          if (each.isChecked && !each.isBad) {
            // There is another that is as good and at least as new.
            expect(
              backups.some(
                (other) =>
                  other !== each &&
                  other.isChecked &&
                  !other.isBad &&
                  !other.isUnreadable &&
                  other.created >= each.created &&
                  !removed.includes(other),
              ),
            ).toBe(true)
          }
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('gives the same answer for every order of the list, and to what it has left', () => {
    fc.assert(
      fc.property(anyBackups, anyPolicy, (backups, config) => {
        const once = keptIds(backups, config)
        expect(keptIds([...backups].reverse(), config)).toEqual(once)
        const left = backups.filter(({ id }) => once.includes(id))
        expect(keptIds(left, config)).toEqual(once)
      }),
      { numRuns: 500 },
    )
  })

  test('a policy that says more keeps more', () => {
    fc.assert(
      fc.property(anyBackups, anyPolicy, fc.constantFrom(...tiers), (backups, config, tier) => {
        const kept = keptIds(backups, config)
        expect(keptIds(backups, { ...config, [tier]: null })).toEqual(expect.arrayContaining([...kept]))
        expect(keptIds(backups, { ...config, keepLast: null })).toEqual(expect.arrayContaining([...kept]))
      }),
      { numRuns: 500 },
    )
  })
})

test('the time zone of the machine does not matter', () => {
  const before = process.env.TZ
  const backups = Array.from({ length: 400 }, (_, i) =>
    backup(i * 7 * HOUR, { tier: tiers[i % tiers.length] ?? 'daily' }),
  )
  try {
    const answers = ['UTC', 'Pacific/Kiritimati', 'America/Los_Angeles', 'Europe/Berlin'].map((zone) => {
      process.env.TZ = zone
      return keptIds(backups, {})
    })
    expect(new Set(answers.map((answer) => answer.join())).size).toBe(1)
    expect(answers[0]?.length).toBeLessThan(400)
  } finally {
    if (before === undefined) delete process.env.TZ
    else process.env.TZ = before
  }
})

describe('simulated years, with a backup an hour and a prune a day', () => {
  interface Simulated {
    readonly held: readonly RetentionFacts[]
    readonly most: number
  }

  /** `shownMs`: what the clock shows at a time. */
  function simulate(
    days: number,
    shownMs: (realMs: number) => number,
    check: (held: readonly RetentionFacts[]) => void = () => {},
  ): Simulated {
    const policy = resolveRetention({})
    const start = Date.UTC(2026, 0, 1)
    let held: RetentionFacts[] = []
    let most = 0
    for (let hour = 0; hour < days * 24; hour++) {
      const at = new Date(shownMs(start + hour * HOUR))
      held.push({ id: `${hour}`.padStart(6, '0'), created: at, tier: pickTier(at, held), isChecked: hour % 24 === 3 })
      if (hour % 24 !== 23) continue
      held = decideRetention(held, policy, { now: at })
        .filter(({ action }) => action === 'keep')
        .map((decision) => decision.backup)
        .reverse()
      most = Math.max(most, held.length)
      check(held)
    }
    return { held, most }
  }

  test('a week of hours, a month of days, a quarter of weeks, a year of months and all years are left', () => {
    const { held, most } = simulate(3 * 365, (ms) => ms)
    const of = (tier: Tier): number => held.filter((each) => each.tier === tier).length
    expect(of('yearly')).toBe(3)
    expect(of('monthly')).toBe(11)
    expect([10, 11, 12, 13]).toContain(of('weekly'))
    expect([23, 24, 25, 26, 27]).toContain(of('daily'))
    expect(of('hourly')).toBeGreaterThan(7 * 22)
    expect(most).toBeLessThan(260)
  })

  test('a clock that jumps ten years ahead for two days, and back, costs neither the newest backup nor the newest checked one', () => {
    const wrong = { from: Date.UTC(2026, 2, 10, 7), to: Date.UTC(2026, 2, 12, 7) }
    let lastHour = -1
    const { held } = simulate(
      120,
      (ms) => (ms >= wrong.from && ms < wrong.to ? ms + 10 * 365 * DAY : ms),
      (left) => {
        lastHour += 24
        const ids = left.map(({ id }) => Number(id))
        expect(ids).toContain(lastHour)
        expect(ids).toContain(lastHour - 20)
      },
    )
    // Those of the wrong clock lie in the future, and stay.
    expect(held.filter(({ created }) => created.getUTCFullYear() === 2036)).toHaveLength(48)
  })
})
