import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decideExpired } from './decide-expired.ts'

const DAY = 24 * 3600_000
const now = Date.parse('2026-11-20T12:00:00Z')
const aged = (...days: readonly number[]) => days.map((age) => ({ files: [`${age}`], keptAtMs: now - age * DAY }))
const gone = (...days: readonly number[]) => decideExpired(aged(...days), now).flatMap(({ files }) => files)

describe('decideExpired', () => {
  it('keeps the newest, however old', () => {
    expect(gone(900)).toEqual([])
    expect(gone(900, 1000)).toEqual(['1000'])
  })

  it('keeps a week', () => {
    expect(gone(1, 6.9, 7.1)).toEqual(['7.1'])
    expect(gone(1, 7)).toEqual([])
  })

  it('keeps five, but all of the last day', () => {
    expect(gone(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.9)).toEqual([])
    expect(gone(0.1, 0.2, 0.3, 0.4, 1.5, 1.6, 2)).toEqual(['1.6', '2'])
  })

  it('takes nothing of the future for old, and never the newest or what is young', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ min: -400, max: 400, noNaN: true }), { maxLength: 30 }), (days) => {
        const kept = aged(...days)
        const expired = decideExpired(kept, now)
        expect(expired.every(({ keptAtMs }) => now - keptAtMs > DAY)).toBe(true)
        expect(kept.length === 0 || expired.length < kept.length).toBe(true)
        const left = kept.filter((each) => !expired.includes(each))
        expect(Math.max(...left.map((each) => each.keptAtMs))).toBe(Math.max(...kept.map((each) => each.keptAtMs)))
      }),
    )
  })
})
