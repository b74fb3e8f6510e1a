import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody, type Storage } from '../storage/storage.ts'
import { backupId } from './backup-id.ts'
import { catalogKey } from './keys.ts'
import { walkCatalog } from './walk-catalog.ts'

const nothing = bytesBody(new Uint8Array())
let counter = 0

function keyAt(ms: number, database = 'app'): string {
  counter += 1
  const created = new Date(ms)
  const id = backupId(created, Uint8Array.of(counter >>> 24, counter >>> 16, counter >>> 8, counter, 7))
  return catalogKey({ database, created: created.toISOString(), id, tier: 'recent', stored: { sizeBytes: 1 } })
}

async function holding(keys: readonly string[]): Promise<Storage> {
  const storage = memory()
  for (const key of keys) await storage.put(key, nothing)
  return storage
}

/** A store that gives fewer keys a page than asked for, and now and then an empty page. */
function stingy(storage: Storage, pageSize: number): Storage {
  let calls = 0
  return {
    ...storage,
    async list(options = {}) {
      calls += 1
      if (calls % 3 === 0 && options.cursor === undefined) return { objects: [], prefixes: [], cursor: 'start' }
      const { cursor, ...rest } = options
      return storage.list({
        ...rest,
        limit: pageSize,
        ...(cursor === undefined || cursor === 'start' ? {} : { cursor }),
      })
    },
  }
}

async function keysOf(walk: AsyncIterable<{ readonly key: string }>): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of walk) keys.push(key)
  return keys
}

const DAY = 86_400_000
const start = Date.UTC(2025, 10, 1)
// Clustered, so that days, months, years and single milliseconds are each full and empty.
const times = fc.oneof(
  fc.integer({ min: 0, max: 3 * DAY }),
  fc.integer({ min: 0, max: 800 * DAY }),
  fc.integer({ min: 0, max: 3 }),
)

test('every backup is walked once, newest first, whatever the pages of the store', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(times, { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), async (offsets, pageSize) => {
      const keys = offsets.map((offset) => keyAt(start + offset))
      const storage = stingy(await holding(keys), pageSize)
      expect(await keysOf(walkCatalog(storage, 'app'))).toEqual(keys.sort().reverse())
    }),
    { numRuns: 60 },
  )
})

test('bounds and a starting point cut the walk exactly', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(times, { minLength: 1, maxLength: 40 }),
      times,
      times,
      fc.nat(),
      async (offsets, a, b, at) => {
        const keys = offsets.map((offset) => keyAt(start + offset))
        const storage = stingy(await holding(keys), 4)
        const entries = []
        for await (const entry of walkCatalog(storage, 'app')) entries.push(entry)
        const since = new Date(start + Math.min(a, b))
        const until = new Date(start + Math.max(a, b))
        const index = at % entries.length
        const before = entries[index]
        const expected = entries.slice(index + 1).filter(({ created }) => created >= since && created <= until)
        const walked = await keysOf(walkCatalog(storage, 'app', { since, until, before }))
        expect(walked).toEqual(expected.map(({ key }) => key))
      },
    ),
    { numRuns: 60 },
  )
})

test('whatever else lies in the catalog is passed by', async () => {
  const key = keyAt(start)
  const storage = await holding([
    key,
    'app/catalog/README.md',
    'app/catalog/2025/notes.txt',
    'app/catalog/2025/13/01/x.json',
    'app/catalog/2025/11/01/zzz.json',
    'app/catalog/9999/99/99/x',
    'app/catalog/latest/2026/x',
    keyAt(start + 1, 'app2'),
  ])
  expect(await keysOf(walkCatalog(storage, 'app'))).toEqual([key])
})

test('a walk that is aborted stops', async () => {
  const storage = await holding([keyAt(start)])
  await expect(keysOf(walkCatalog(storage, 'app', { signal: AbortSignal.abort() }))).rejects.toThrow()
})
