import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { every, parseSchedule, type Schedule } from '../config/schedule-text.ts'
import { slotAfter, slotAt, spacingOf } from './slot-times.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

function slotsBetween(schedule: Schedule, from: string, to: string): readonly string[] {
  const slots: string[] = []
  for (
    let at = slotAfter(schedule, Date.parse(from) - 1);
    at !== undefined && at <= Date.parse(to);
    at = slotAfter(schedule, at)
  ) {
    slots.push(new Date(at).toISOString())
  }
  return slots
}

/** What a clock on the wall of that zone shows, like `2026-03-29 02:17`. */
function wall(ms: number, timeZone: string): string {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'short' })
  return format.format(new Date(ms))
}

test('equal steps are counted from midnight UTC, whoever counts', () => {
  const schedule = parseSchedule(every('15m'))
  expect(slotsBetween(schedule, '2026-11-20T11:50:00.000Z', '2026-11-20T12:31:00.000Z')).toEqual([
    '2026-11-20T12:00:00.000Z',
    '2026-11-20T12:15:00.000Z',
    '2026-11-20T12:30:00.000Z',
  ])
  const noon = Date.parse('2026-11-20T12:00:00.000Z')
  expect([noon - 1, noon, noon + 1].map((ms) => slotAt(schedule, ms))).toEqual([noon - 900_000, noon, noon])
  expect(spacingOf(schedule, noon)).toBe(900_000)
})

test('cron means the time of its zone', () => {
  const berlin = parseSchedule('30 3 * * *', 'Europe/Berlin')
  expect(slotsBetween(berlin, '2026-07-01T00:00:00.000Z', '2026-07-02T12:00:00.000Z')).toEqual([
    '2026-07-01T01:30:00.000Z',
    '2026-07-02T01:30:00.000Z',
  ])
  expect(slotsBetween(parseSchedule('30 3 * * *'), '2026-07-01T00:00:00.000Z', '2026-07-01T12:00:00.000Z')).toEqual([
    '2026-07-01T03:30:00.000Z',
  ])
})

describe('when clocks go forward and back', () => {
  // Each has its changes at another time of the day and of the year; in Lord Howe they are of half an hour.
  const zones = ['Europe/Berlin', 'America/New_York', 'America/Santiago', 'Australia/Lord_Howe', 'Africa/Cairo', 'UTC']

  test.each(zones)('a daily job runs once on every day of a year in %s, at its time if that day has it', (zone) => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), (hour, minute) => {
        const schedule = parseSchedule(`${minute} ${hour} * * *`, zone)
        const wanted = `${hour}`.padStart(2, '0') + ':' + `${minute}`.padStart(2, '0')
        const days = new Map<string, number>()
        let odd = 0
        for (const slot of slotsBetween(schedule, '2026-01-10T12:00:00.000Z', '2027-01-10T12:00:00.000Z')) {
          const [day = '', time] = wall(Date.parse(slot), zone).split(' ')
          days.set(day, (days.get(day) ?? 0) + 1)
          if (time !== wanted) odd += 1
        }
        expect([...days.values()].every((runs) => runs === 1)).toBe(true)
        expect([364, 365, 366]).toContain(days.size)
        // Only where that time does not exist, on the one day on which clocks go forward.
        expect(odd).toBeLessThanOrEqual(1)
      }),
      { numRuns: 12 },
    )
  })

  test.each(zones)('an hourly job in %s has a run in every hour that passes', (zone) => {
    const schedule = parseSchedule('17 * * * *', zone)
    const slots = slotsBetween(schedule, '2026-01-01T00:00:00.000Z', '2026-12-31T23:59:00.000Z').map((slot) =>
      Date.parse(slot),
    )
    const gaps = slots.slice(1).map((slot, index) => slot - (slots[index] ?? 0))
    expect(slots.length).toBeGreaterThanOrEqual(365 * 24 - 1)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1.5 * HOUR)
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(0.5 * HOUR)
  })

  test('looking back and looking ahead agree', () => {
    const texts = [
      '17 * * * *',
      '30 2 * * *',
      '0 0 1 * *',
      '*/20 1-3 * * 0',
      '0 3 29 2 *',
      every('5m'),
      every('7h'),
      '*/7 * * * * *',
    ]
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.constantFrom(...zones),
        fc.integer({ min: Date.UTC(2026, 0), max: Date.UTC(2029, 0) }),
        (text, zone, ms) => {
          const schedule = parseSchedule(text, zone)
          const before = slotAt(schedule, ms) ?? Number.NaN
          const after = slotAfter(schedule, ms) ?? Number.NaN
          expect(before).toBeLessThanOrEqual(ms)
          expect(after).toBeGreaterThan(ms)
          expect(slotAfter(schedule, before)).toBe(after)
          expect(slotAt(schedule, after)).toBe(after)
          expect(slotAt(schedule, after - 1)).toBe(before)
        },
      ),
      { numRuns: 400 },
    )
  })
})

test('a schedule that has no past or no future says so', () => {
  const leap = parseSchedule('0 0 29 2 *')
  expect(spacingOf(leap, Date.UTC(2024, 1, 29))).toBe(1461 * DAY)
})
