import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assertBackupName, escapeName, unescapeName, whyBadBackupName, whyBadDatabaseName } from './names.ts'

const names = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((name) => whyBadDatabaseName(name) === undefined)

test.each([
  ['app', 'app'],
  ['my-app_2.v1', 'my-app_2.v1'],
  ['before import', 'before~20import'],
  ['tenants/acme', 'tenants~2Facme'],
  ['..', '~2E.'],
  ['../../etc/passwd', '~2E.~2F..~2Fetc~2Fpasswd'],
  ['.hidden', '~2Ehidden'],
  ['a~b', 'a~7Eb'],
  ['größe', 'gr~C3~B6~C3~9Fe'],
])('%j is the segment %s', (name, segment) => {
  expect(escapeName(name)).toBe(segment)
  expect(unescapeName(segment)).toBe(name)
})

test('every name reads back and stays within its segment', () => {
  fc.assert(
    fc.property(names, (name) => {
      const segment = escapeName(name)
      expect(segment).toMatch(/^[A-Za-z0-9_~-][A-Za-z0-9_.~-]*$/)
      expect(unescapeName(segment)).toBe(name.normalize('NFC'))
    }),
  )
})

test('two names have two segments', () => {
  fc.assert(
    fc.property(names, names, (a, b) => {
      expect(escapeName(a) === escapeName(b)).toBe(a.normalize('NFC') === b.normalize('NFC'))
    }),
  )
})

test('a letter written in two ways of Unicode is one name', () => {
  expect(escapeName('e\u0301')).toBe(escapeName('\u00e9'))
})

test.each(['', '~2e', 'a~', 'a/b', '~41', '.app', 'ä', '~FF'])('%j was never a segment', (segment) => {
  expect(unescapeName(segment)).toBeUndefined()
})

test.each(['', ' app', 'app ', 'a\nb', '\u0000', '\ud800', 'x'.repeat(151), 'ä'.repeat(26)])(
  'no database is called %j',
  (name) => {
    expect(whyBadDatabaseName(name)).toBeTypeOf('string')
  },
)

test.each(['latest', '20261120T030000Z-aaaaaaaa', '2026-11-20', '2026-11-20 14:00'])(
  'a backup is not called %j, because that means another one',
  (name) => {
    expect(whyBadBackupName(name)).toBeTypeOf('string')
    expect(() => assertBackupName(name)).toThrow(`A backup cannot be named "${name}"`)
  },
)

test.each(['v1.2.0', 'before import', 'Größe', '2026-11', 'a/b'])('a backup may be called %j', (name) => {
  expect(whyBadBackupName(name)).toBeUndefined()
})
