import { describe, expect, it } from 'vitest'
import { formatAge, formatDuration, formatMoment } from './ages.ts'

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [85, '85 ms'],
    [1900, '1.9 s'],
    [9960, '10 s'],
    [42_000, '42 s'],
    [192_000, '3 min 12 s'],
    [3_600_000, '1 h'],
    [5_400_000, '1 h 30 min'],
    [9 * 86_400_000, '9 d'],
  ])('writes %i ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe('formatAge', () => {
  it.each([
    [500, 'just now'],
    [42_000, '42 s ago'],
    [12 * 60_000, '12 min ago'],
    [27 * 3_600_000, '27 h ago'],
    [8 * 86_400_000, '8 d ago'],
    [-48 * 60_000, 'in 48 min'],
  ])('writes %i ms as %s', (ms, text) => {
    expect(formatAge(ms)).toBe(text)
  })
})

describe('formatMoment', () => {
  it('writes a moment in UTC and says so', () => {
    expect(formatMoment('2026-11-20T13:17:05.123Z')).toBe('2026-11-20 13:17:05 UTC')
  })

  it('leaves what is no moment as it is', () => {
    expect(formatMoment('soon')).toBe('soon')
  })
})
