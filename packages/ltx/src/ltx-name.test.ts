import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatLtxName, formatTxid, LtxError, parseLtxName, parseTxid } from './index.ts'

const txid = fc.bigInt({ min: 1n, max: (1n << 64n) - 1n })

test('names come back as the TXIDs they were made of, and sort as they do', () => {
  fc.assert(
    fc.property(txid, txid, txid, (a, b, c) => {
      const [minTxid, maxTxid] = a < b ? [a, b] : [b, a]
      const name = formatLtxName({ minTxid, maxTxid })
      expect(parseLtxName(name)).toEqual({ minTxid, maxTxid })
      expect(parseTxid(formatTxid(c))).toBe(c)
      expect(formatTxid(a) < formatTxid(b)).toBe(a < b)
    }),
  )
  expect(formatLtxName({ minTxid: 1n, maxTxid: 255n })).toBe('0000000000000001-00000000000000ff.ltx')
})

test.each([
  '0000000000000001-0000000000000001.ltx.tmp',
  '0000000000000001-000000000000000A.ltx',
  '1-1.ltx',
  '0000000000000000-0000000000000001.ltx',
  '0000000000000002-0000000000000001.ltx',
  'x0000000000000001-0000000000000001.ltx',
  '0000000000000001-0000000000000001.ltx\n',
  'manifest.json',
  '',
])('%j is not the name of a file', (name) => {
  expect(parseLtxName(name)).toBeUndefined()
})

test('TXIDs that cannot be are not formatted', () => {
  for (const range of [
    [0n, 1n],
    [2n, 1n],
    [1n, 1n << 64n],
  ] as const) {
    expect(() => formatLtxName({ minTxid: range[0], maxTxid: range[1] })).toThrow(LtxError)
  }
  expect(() => formatTxid(-1n)).toThrow(LtxError)
  expect(parseTxid('1')).toBeUndefined()
})
