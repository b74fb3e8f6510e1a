import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tiers } from '../catalog/manifest.ts'
import { defaults } from './defaults.ts'
import { resolveRetention } from './retention.ts'

const DAY = 86_400_000

test('what is left out is as in the table of defaults, and what is said replaces it', () => {
  const policy = resolveRetention({ daily: '14d', keepLast: 5 })
  expect(policy.keepLast).toBe(5)
  expect(policy.tiers).toEqual({
    recent: { ageMs: DAY, count: 0 },
    hourly: { ageMs: 7 * DAY, count: 0 },
    daily: { ageMs: 14 * DAY, count: 0 },
    weekly: { ageMs: 90 * DAY, count: 0 },
    monthly: { ageMs: 366 * DAY, count: 0 },
    yearly: { ageMs: null, count: 0 },
    manual: { ageMs: 30 * DAY, count: 0 },
    'pre-migration': { ageMs: 30 * DAY, count: 0 },
    'pre-restore': { ageMs: 7 * DAY, count: 0 },
    shutdown: { ageMs: 7 * DAY, count: 0 },
    milestone: { ageMs: 366 * DAY, count: 0 },
  })
})

test('zero, null and nothing are three things', () => {
  const { tiers: rules } = resolveRetention({ daily: 0, weekly: null, keepLast: null })
  expect(rules.daily).toEqual({ ageMs: 0, count: 0 })
  expect(rules.weekly).toEqual({ ageMs: null, count: 0 })
  expect(rules.hourly).toEqual(resolveRetention({}).tiers.hourly)
  expect(resolveRetention({ keepLast: null }).keepLast).toBeNull()
  expect(resolveRetention({ keepLast: 0 }).keepLast).toBe(0)
  expect(resolveRetention({}).keepLast).toBe(defaults.retention.keepLast)
})

test('of a list, each may keep a backup; an empty one says nothing', () => {
  const { tiers: rules } = resolveRetention({ daily: ['7d', 10, '2d'], weekly: [4, null], monthly: [], hourly: 48 })
  expect(rules.daily).toEqual({ ageMs: 7 * DAY, count: 10 })
  expect(rules.weekly).toEqual({ ageMs: null, count: 4 })
  expect(rules.monthly).toEqual(resolveRetention({}).tiers.monthly)
  expect(rules.hourly).toEqual({ ageMs: 0, count: 48 })
})

test.each([[{ daily: 1.5 }], [{ keepLast: -1 }], [{ daily: [Number.NaN] }]])('refuses %j', (config) => {
  expect(() => resolveRetention(config)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
})

test('every tier has a default', () => {
  expect(Object.keys(resolveRetention({}).tiers)).toEqual([...tiers])
})

test('docs/6-prune.md has the table of defaults', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../../../docs/6-prune.md'), 'utf8')
  const words = (ms: number | null): string => (ms === null ? 'for ever' : ms === DAY ? '24 hours' : `${ms / DAY} days`)
  const { keepLast, tiers: rules } = resolveRetention({})
  for (const tier of tiers) expect(docs).toContain(`| \`${tier}\` | ${words(rules[tier].ageMs)} |`)
  expect(docs).toContain(`| \`keepLast\` | ${keepLast} |`)
})
