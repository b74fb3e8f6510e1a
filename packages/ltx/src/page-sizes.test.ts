import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createPageSizes, type IndexEntry } from './page-sizes.ts'

function entriesOf(pages: readonly (readonly [gap: number, size: number])[]): {
  kept: IndexEntry[]
  wanted: IndexEntry[]
} {
  const sizes = createPageSizes()
  const wanted: IndexEntry[] = []
  let pgno = 0
  let offset = 100
  for (const [gap, size] of pages) {
    pgno += gap
    sizes.add(pgno, size)
    wanted.push({ pgno, offset, size })
    offset += size
  }
  expect(sizes.pageCount).toBe(pages.length)
  return { kept: [...sizes.entries()], wanted }
}

test('what is remembered of the pages is what was said of them', () => {
  const page = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 11, max: 66000 }))
  fc.assert(
    fc.property(fc.array(page, { maxLength: 1500, size: 'max' }), (pages) => {
      const { kept, wanted } = entriesOf(pages)
      expect(kept).toEqual(wanted)
    }),
    { numRuns: 50 },
  )
})

test('the widest gaps and sizes fit, and a run of equal pages needs no bits at all', () => {
  const wide = Array.from({ length: 600 }, (_, k) => [k === 300 ? 4_000_000_000 : 1, k % 2 ? 0xffff_ffff : 11] as const)
  const same = Array.from({ length: 5000 }, () => [1, 22] as const)
  for (const pages of [wide, same, []]) {
    const { kept, wanted } = entriesOf(pages)
    expect(kept).toEqual(wanted)
  }
})
