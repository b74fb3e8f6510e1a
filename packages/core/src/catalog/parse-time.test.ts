import { expect, test } from 'vitest'
import { parseTime } from './parse-time.ts'

test.each([
  ['2026-11-20T14:00:00.000Z', '2026-11-20T14:00:00.000Z'],
  ['2026-11-20T14:00Z', '2026-11-20T14:00:00.000Z'],
  ['2026-11-20 14:00 UTC', '2026-11-20T14:00:00.000Z'],
  ['2026-11-20 14:00:05.5+02:00', '2026-11-20T12:00:05.500Z'],
  ['2026-11-20 14:00 -0530', '2026-11-20T19:30:00.000Z'],
  ['2026-11-20T14:00:05.123456789Z', '2026-11-20T14:00:05.123Z'],
  ['2024-02-29 00:00Z', '2024-02-29T00:00:00.000Z'],
])('%j is %s', (text, iso) => {
  expect(parseTime(text)?.toISOString()).toBe(iso)
})

test('a time without a zone is local', () => {
  expect(parseTime('2026-11-20 14:00')).toEqual(new Date(2026, 10, 20, 14, 0))
})

test('a day is its first moment, local', () => {
  expect(parseTime('2026-11-20')).toEqual(new Date(2026, 10, 20))
})

test.each([
  '',
  'latest',
  '2026',
  '2026-11',
  '2026-02-29',
  '2026-13-01',
  '2026-11-20 24:01',
  '2026-11-20 1:00',
  '20261120T030000Z-aaaaaaaa',
])('%j is no time', (text) => {
  expect(parseTime(text)).toBeUndefined()
})
