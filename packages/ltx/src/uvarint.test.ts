import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toHex } from './testing/files.ts'
import { readUvarint, writeUvarint } from './uvarint.ts'

function written(value: number): Uint8Array {
  const bytes = new Uint8Array(10)
  return bytes.slice(0, writeUvarint(bytes, 0, value))
}

test.each([
  [0, '00'],
  [1, '01'],
  [100, '64'],
  [127, '7f'],
  [128, '8001'],
  [163, 'a301'],
  [263, '8702'],
  [300, 'ac02'],
  [16384, '808001'],
  [4294967295, 'ffffffff0f'],
])('%i is written as %s', (value, hex) => {
  expect(toHex(written(value))).toBe(hex)
})

test('every safe integer comes back, and a number cut short is asked for again', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      const bytes = written(value)
      const cursor = { bytes, at: 0, end: bytes.length }
      expect(readUvarint(cursor)).toBe(value)
      expect(cursor.at).toBe(bytes.length)
      const short = { bytes, at: 0, end: bytes.length - 1 }
      expect(readUvarint(short)).toBe(-1)
      expect(short.at).toBe(0)
    }),
  )
})

test('what is longer than any position in a file is refused', () => {
  const bytes = new Uint8Array(20).fill(255)
  expect(readUvarint({ bytes, at: 0, end: 20 })).toBe(-2)
  expect(readUvarint({ bytes: Uint8Array.of(255, 255, 255, 255, 255, 255, 255, 127), at: 0, end: 8 })).toBe(-2)
})
