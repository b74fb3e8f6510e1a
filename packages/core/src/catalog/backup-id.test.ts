import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backupId, idOf, parseBackupId, parseTimeStamp, randomPart, timeStamp } from './backup-id.ts'

const moments = fc.date({
  min: new Date('1970-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})
const fiveBytes = fc.uint8Array({ minLength: 5, maxLength: 5 })

test('an id holds the second and the random part', () => {
  const id = backupId(new Date('2026-11-20T03:00:00.123Z'), Uint8Array.of(0, 0, 0, 0, 255))
  expect(id).toBe('20261120T030000Z-aaaaaah7')
  expect(parseBackupId(id)).toEqual({ second: new Date('2026-11-20T03:00:00.000Z'), random: 'aaaaaah7' })
})

test('an id with milliseconds, as keys have it, is understood', () => {
  expect(parseBackupId('20261120T030000.123Z-aaaaaah7')?.second).toEqual(new Date('2026-11-20T03:00:00.000Z'))
})

test.each([
  '',
  'latest',
  '20261120T030000Z',
  '20261120T030000Z-AAAAAAAA',
  '20260231T030000Z-aaaaaaaa',
  '20261120T030000Z-aaaaaaaa/../x',
])('%j is no id', (text) => {
  expect(parseBackupId(text)).toBeUndefined()
})

test('every id reads back', () => {
  fc.assert(
    fc.property(moments, fiveBytes, (created, random) => {
      const parsed = parseBackupId(backupId(created, random))
      expect(parsed?.random).toBe(randomPart(random))
      expect(parsed?.second.getTime()).toBe(Math.floor(created.getTime() / 1000) * 1000)
      expect(idOf({ created, random: randomPart(random) })).toBe(backupId(created, random))
    }),
  )
})

test('different bytes give different random parts of one length', () => {
  fc.assert(
    fc.property(fiveBytes, fiveBytes, (a, b) => {
      expect(randomPart(a)).toMatch(/^[a-z2-7]{8}$/)
      expect(randomPart(a) === randomPart(b)).toBe(Buffer.from(a).equals(b))
    }),
  )
})

test('time stamps sort like the time and read back', () => {
  fc.assert(
    fc.property(moments, moments, (a, b) => {
      expect(parseTimeStamp(timeStamp(a))).toEqual(a)
      expect(Math.sign(timeStamp(a) < timeStamp(b) ? -1 : timeStamp(a) > timeStamp(b) ? 1 : 0)).toBe(
        Math.sign(a.getTime() - b.getTime()),
      )
    }),
  )
})

test('a year of five digits has no key', () => {
  expect(() => timeStamp(new Date(253402300800000))).toThrow('cannot be part of a key')
})
