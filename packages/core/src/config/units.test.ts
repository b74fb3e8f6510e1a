import fc from 'fast-check'
import { expect, expectTypeOf, test } from 'vitest'
import { formatSize } from '../spool/space.ts'
import { type Duration, parseDuration, parseSize, type Size } from './units.ts'

test.each([
  ['0ms', 0],
  ['500ms', 500],
  ['5s', 5000],
  ['1.5s', 1500],
  ['5m', 300_000],
  ['26h', 93_600_000],
  ['7d', 604_800_000],
  ['2w', 1_209_600_000],
  ['5 s', 5000],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each([
  ['0B', 0],
  ['64MB', 64_000_000],
  ['64MiB', 67_108_864],
  ['1.5KiB', 1536],
  ['20GB', 20_000_000_000],
  ['2 TiB', 2_199_023_255_552],
])('%s is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})

test.each([
  '',
  '5',
  's',
  '5S',
  '5M',
  '-5s',
  '5s5',
  '1h30m',
  '5 ',
  ' 5s',
  '5e3s',
  '0x5s',
  '5toString',
  '5constructor',
  '99999999999999999w',
  'NaNs',
])('%j is no duration', (text) => {
  expect(() => parseDuration(text)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', hint: 'Units are ms, s, m, h, d, w.' }),
  )
})

test.each(['64', '64mb', '64M', '64Mb', '-1B', '5s'])('%j is no size', (text) => {
  expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
})

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [4096, '4.1 KB'],
  [64e6, '64 MB'],
  [999_600, '1 MB'],
  [3.25e12, '3.3 TB'],
  [8e15, '8000 TB'],
])('%i bytes are shown as %s', (bytes, text) => expect(formatSize(bytes)).toBe(text))

test('whole numbers of any unit are exact', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10_000 }), (count) => {
      expect(parseDuration(`${count}m`)).toBe(count * 60_000)
      expect(parseSize(`${count}KiB`)).toBe(count * 1024)
    }),
  )
})

test('a unit that is missing is an error in the editor too', () => {
  expectTypeOf<'5s'>().toExtend<Duration>()
  expectTypeOf<'5'>().not.toExtend<Duration>()
  expectTypeOf<'64MB'>().toExtend<Size>()
  expectTypeOf<'64mb'>().not.toExtend<Size>()
})
