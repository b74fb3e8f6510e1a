import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Tier } from './manifest.ts'
import { periodOf, periodTiers, pickTier } from './tier.ts'

const at = (iso: string): Date => new Date(iso)
const held = (...backups: readonly (readonly [Tier, string])[]) =>
  backups.map(([tier, iso]) => ({ tier, created: at(iso) }))

test('the first backup of all is the yearly one', () => {
  expect(pickTier(at('2026-11-20T03:00:00Z'), [])).toBe('yearly')
})

test('each higher period that is held leaves the next lower one', () => {
  const now = at('2026-11-20T03:30:00Z')
  const backups = held(
    ['yearly', '2026-01-01T00:17:00Z'],
    ['monthly', '2026-11-01T00:17:00Z'],
    ['weekly', '2026-11-16T00:17:00Z'],
    ['daily', '2026-11-20T00:17:00Z'],
    ['hourly', '2026-11-20T03:17:00Z'],
  )
  const expected = ['yearly', 'monthly', 'weekly', 'daily', 'hourly', 'recent']
  expect(expected.map((_, count) => pickTier(now, backups.slice(0, count)))).toEqual(expected)
})

test('a higher tier serves the lower ones in their period', () => {
  const yearly = held(['yearly', '2026-11-20T03:17:00Z'])
  expect(pickTier(at('2026-11-20T03:30:00Z'), yearly)).toBe('recent')
  expect(pickTier(at('2026-11-20T04:17:00Z'), yearly)).toBe('hourly')
  expect(pickTier(at('2026-11-21T00:17:00Z'), yearly)).toBe('daily')
  expect(pickTier(at('2026-11-23T00:17:00Z'), yearly)).toBe('weekly')
  expect(pickTier(at('2026-12-01T00:17:00Z'), yearly)).toBe('monthly')
  expect(pickTier(at('2027-01-01T00:17:00Z'), yearly)).toBe('yearly')
})

test('a backup that was made for another reason holds no period', () => {
  const others = held(
    ['manual', '2026-11-20T03:00:00Z'],
    ['pre-migration', '2026-11-20T03:00:00Z'],
    ['recent', '2026-11-20T03:00:00Z'],
  )
  expect(pickTier(at('2026-11-20T03:30:00Z'), others)).toBe('yearly')
})

test.each([
  // 2026 has 53 ISO weeks: the 53rd is 28 December to 3 January.
  ['2026-12-27T23:59:59.999Z', '2026-12-21', '2026-12-28'],
  ['2026-12-28T00:00:00.000Z', '2026-12-28', '2027-01-04'],
  ['2026-12-31T23:59:59.999Z', '2026-12-28', '2027-01-04'],
  ['2027-01-01T00:00:00.000Z', '2026-12-28', '2027-01-04'],
  ['2027-01-03T23:59:59.999Z', '2026-12-28', '2027-01-04'],
  ['2027-01-04T00:00:00.000Z', '2027-01-04', '2027-01-11'],
  // 29 December 2025 is already in week 1 of 2026.
  ['2025-12-29T12:00:00.000Z', '2025-12-29', '2026-01-05'],
  // A leap day in the middle of a week.
  ['2024-02-29T12:00:00.000Z', '2024-02-26', '2024-03-04'],
])('the ISO week of %s is from %s to %s', (moment, start, end) => {
  expect(periodOf('weekly', at(moment))).toEqual({ start: at(start), end: at(end) })
})

test('a week over the year’s end is held once, a year twice', () => {
  const backups = held(
    ['yearly', '2026-01-01T00:17:00Z'],
    ['monthly', '2026-12-01T00:17:00Z'],
    ['weekly', '2026-12-28T00:17:00Z'],
  )
  expect(pickTier(at('2026-12-31T00:17:00Z'), backups)).toBe('daily')
  expect(pickTier(at('2027-01-01T00:17:00Z'), backups)).toBe('yearly')
  expect(pickTier(at('2027-01-02T00:17:00Z'), [...backups, ...held(['yearly', '2027-01-01T00:17:00Z'])])).toBe('daily')
})

test('every moment lies in its periods, and each lower one in the day', () => {
  fc.assert(
    fc.property(fc.date({ min: at('1970-01-05'), max: at('2200-01-01'), noInvalidDate: true }), (moment) => {
      for (const tier of periodTiers) {
        const { start, end } = periodOf(tier, moment)
        expect(start <= moment && moment < end).toBe(true)
        expect(periodOf(tier, start)).toEqual({ start, end })
      }
      expect(periodOf('weekly', moment).start.getUTCDay()).toBe(1)
    }),
  )
})
