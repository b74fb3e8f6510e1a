import fc from 'fast-check'
import { expect, it } from 'vitest'
import { compareKeys } from './key.ts'
import { listKeys } from './list-keys.ts'
import type { ListOptions } from './storage.ts'

const segment = fc.constantFrom('a', 'a-', 'a0', 'b', '\u00e9', '\uff5e', '\u{1f600}')
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))
const beginning = fc.tuple(path, fc.nat(10)).map(([key, cut]) => [...key].slice(0, cut).join(''))
const anyOptions: fc.Arbitrary<ListOptions> = fc.record(
  { prefix: beginning, after: beginning, delimiter: fc.constant('/' as const) },
  { requiredKeys: [] },
)

/** The definition, without any cleverness: fold, keep what is asked for, sort. */
function model(keys: readonly string[], { prefix = '', after = '', delimiter }: ListOptions): string[] {
  const fold = (key: string): string => {
    const at = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
    return at < 0 ? key : key.slice(0, at + 1)
  }
  const lines = keys.filter((key) => key.startsWith(prefix)).map(fold)
  return [...new Set(lines)].filter((line) => compareKeys(line, after) > 0).sort(compareKeys)
}

it('shows on its pages together exactly what the model shows, in order, and no page is too long', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(path, { maxLength: 30 }),
      anyOptions,
      fc.integer({ min: 1, max: 7 }),
      (keys, options, limit) => {
        const sorted = [...keys].sort(compareKeys)
        const lines: string[] = []
        let cursor: string | undefined
        do {
          const page = listKeys(sorted, { ...options, limit, ...(cursor === undefined ? {} : { cursor }) })
          expect(page.keys.length + page.prefixes.length).toBeLessThanOrEqual(limit)
          lines.push(...[...page.keys, ...page.prefixes].sort(compareKeys))
          cursor = page.cursor
        } while (cursor !== undefined)
        expect(lines).toEqual(model(keys, options))
      },
    ),
    { numRuns: 2000 },
  )
})
