import { describe, expect, it } from 'vitest'
import { formatBytes, formatRate } from './bytes.ts'

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [999, '999 B'],
    [1000, '1 KB'],
    [4096, '4.1 KB'],
    [12_345, '12.3 KB'],
    [118_400_000, '118 MB'],
    [999_600, '1 MB'],
    [1_230_000_000, '1.2 GB'],
    [6_100_000_000_000, '6.1 TB'],
    [-4096, '-4.1 KB'],
  ])('writes %i as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  it('adds the second to a rate', () => {
    expect(formatRate(19_200_000)).toBe('19.2 MB/s')
  })
})
