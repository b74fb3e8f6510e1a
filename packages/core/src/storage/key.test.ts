import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assertKey, assertPrefix, compareKeys, isKey } from './key.ts'

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom('a', '/', '.', '..', '\u00e9', '\uff5e', '\u{1f600}', '\ud800', '\n') }),
)

describe('keys', () => {
  it('are exactly the relative paths that no file system would resolve to something else', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const bytes = Buffer.from(text)
        const isSound =
          text === bytes.toString() &&
          bytes.length <= 900 &&
          text
            .split('/')
            .every((part) => part !== '' && part !== '.' && part !== '..' && Buffer.byteLength(part) <= 255) &&
          // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
          !/[\x00-\x1f\x7f]/.test(text)
        expect(isKey(text)).toBe(isSound)
        if (isSound) expect(assertKey(text)).toBeUndefined()
        else expect(() => assertKey(text)).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
      }),
      { numRuns: 2000 },
    )
  })

  it('can be listed by any beginning of theirs, and a longer text is no prefix of a key that is refused', () => {
    fc.assert(
      fc.property(anyText.filter(isKey), fc.nat(), (key, cut) => {
        const prefix = key.slice(0, cut)
        fc.pre(prefix.isWellFormed())
        expect(assertPrefix(prefix)).toBeUndefined()
      }),
      { numRuns: 2000 },
    )
    for (const prefix of ['/', '../', './', 'a//', 'a/../', 'a\n', '\ud800', 'x'.repeat(901)]) {
      expect(() => assertPrefix(prefix)).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
    }
    for (const prefix of ['', '.', '..', 'a/..', 'a/']) expect(assertPrefix(prefix)).toBeUndefined()
  })

  it('are ordered as their UTF-8 bytes are', () => {
    const text = fc.string({ unit: 'binary' }).map((value) => value.toWellFormed())
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
      { numRuns: 5000 },
    )
    expect(['\u{1f600}', '\uff5e', 'z'].sort(compareKeys)).toEqual(['z', '\uff5e', '\u{1f600}'])
  })
})
