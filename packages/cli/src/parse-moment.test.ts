import { describe, expect, it } from 'vitest'
import { parseMoment } from './parse-moment.ts'

const now = Date.parse('2026-11-20T12:00:00Z')

describe('parseMoment', () => {
  it.each([
    ['2026-11-20', '2026-11-20T00:00:00.000Z'],
    ['2026-11-20 14:00', '2026-11-20T14:00:00.000Z'],
    ['2026-11-20T14:00:05', '2026-11-20T14:00:05.000Z'],
    ['2026-11-20T14:00Z', '2026-11-20T14:00:00.000Z'],
    ['2026-11-20T14:00+02:00', '2026-11-20T12:00:00.000Z'],
    ['2026-11-20 14:00 UTC', '2026-11-20T14:00:00.000Z'],
    ['7d', '2026-11-13T12:00:00.000Z'],
    ['26h ago', '2026-11-19T10:00:00.000Z'],
  ])('reads %s as %s, whatever the zone of the machine', (text, iso) => {
    expect(parseMoment(text, now).toISOString()).toBe(iso)
  })

  it.each(['yesterday', '', '2026-13-01', '7', '7 parsecs'])('refuses %j with a hint', (text) => {
    expect(() => parseMoment(text, now)).toThrow(/is not a time/)
  })
})
