import { describe, expect, it } from 'vitest'
import { parseMoment } from './parse-moment.ts'

const now = Date.parse('2026-11-20T12:00:00Z')

describe('parseMoment', () => {
  it.each([
    ['2026-11-20T14:00:05Z', '2026-11-20T14:00:05.000Z'],
    ['2026-11-20 14:00 UTC', '2026-11-20T14:00:00.000Z'],
    ['2026-11-20T14:00+02:00', '2026-11-20T12:00:00.000Z'],
    ['2026-11-20 14:00', new Date(2026, 10, 20, 14).toISOString()],
    ['7d', '2026-11-13T12:00:00.000Z'],
    ['26h ago', '2026-11-19T10:00:00.000Z'],
  ])('reads %s as %s', async (text, iso) => {
    expect((await parseMoment(text, now)).toISOString()).toBe(iso)
  })

  it.each(['yesterday', '', '2026-13-01', '7', '7 parsecs'])('refuses %j with a hint', async (text) => {
    await expect(parseMoment(text, now)).rejects.toThrow(/is not a time/)
  })
})
