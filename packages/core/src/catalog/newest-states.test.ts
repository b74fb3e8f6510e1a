import { describe, expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import type { Storage } from '../storage/storage.ts'
import type { Manifest } from './manifest.ts'
import { newestStates } from './newest-states.ts'
import { resolveBackup } from './resolve-backup.ts'
import { putExample } from './testing/example-manifest.ts'

const now = new Date('2026-11-20T12:00:00.000Z')

/** One writer's backups, each grown from the one before. */
async function putChain(storage: Storage, times: readonly string[]): Promise<readonly Manifest[]> {
  const made: Manifest[] = []
  for (const created of times) {
    const parent = made.at(-1)?.id
    made.push(await putExample(storage, { created, ...(parent === undefined ? {} : { parent }) }))
  }
  return made
}

async function idsOf(storage: Storage): Promise<readonly string[]> {
  return (await newestStates(storage, 'app', { now })).map(({ entry }) => entry.id)
}

const ids = (manifests: readonly (Manifest | undefined)[]): readonly (string | undefined)[] =>
  manifests.map((each) => each?.id)

describe('a clock that was ahead', () => {
  test('does not win over what grew from its backup', async () => {
    const storage = memory()
    const [old, ahead, next, last] = await putChain(storage, [
      '2026-11-20T09:00:00.000Z',
      '2026-11-20T13:00:00.000Z',
      '2026-11-20T11:10:00.000Z',
      '2026-11-20T11:20:00.000Z',
    ])
    expect(await idsOf(storage)).toEqual(ids([last, next, ahead, old]))
    const found = await resolveBackup(storage, 'app', 'latest')
    expect(found.manifest.id).toBe(last?.id)
    expect(found.ahead?.id).toBe(ahead?.id)
  })

  test('however many backups it dated, before and after the time has come', async () => {
    const minutes = Array.from({ length: 20 }, (_, i) => String(i).padStart(2, '0'))
    const storage = memory()
    const made = await putChain(storage, [
      ...minutes.map((minute) => `2026-11-20T18:${minute}:00.000Z`),
      '2026-11-20T11:10:00.000Z',
      '2026-11-20T11:20:00.000Z',
    ])
    expect((await idsOf(storage)).slice(0, 3)).toEqual(ids([made.at(-1), made.at(-2), made.at(-3)]))

    const later = memory()
    const passed = await putChain(later, ['2026-11-18T05:00:00.000Z', '2026-11-18T03:00:00.000Z'])
    expect(await idsOf(later)).toEqual(ids([passed[1], passed[0]]))
  })
})

describe('a clock that was far ahead, many backups ago', () => {
  const minutes = Array.from({ length: 20 }, (_, i) => `2026-11-20T11:${String(i + 10)}:00.000Z`)

  test.each([
    ['the same writer', undefined],
    ['another writer, that restored it', 'b'],
  ])('does not win over those of %s', async (_, writer) => {
    const storage = memory()
    const [, ahead] = await putChain(storage, ['2026-11-20T09:00:00.000Z', '2027-11-20T13:00:00.000Z'])
    let parent = ahead?.id ?? ''
    // The first of them is pruned.
    for (const [index, created] of minutes.entries()) {
      const facts = { created, parent, ...(writer === undefined ? {} : { writer }) }
      parent = (await putExample(index === 0 ? memory() : storage, facts)).id
    }
    const [latest] = await newestStates(storage, 'app', { now })
    expect(latest).toMatchObject({ entry: { id: parent }, ahead: { id: ahead?.id } })
  })

  test('wins over a branch that is known to have left before it', async () => {
    const storage = memory()
    const [root, ahead] = await putChain(storage, ['2026-11-20T09:00:00.000Z', '2027-11-20T13:00:00.000Z'])
    const other = await putExample(storage, { created: minutes[0], writer: 'b', ...(root && { parent: root.id }) })
    expect(await idsOf(storage)).toEqual(ids([ahead, other, root]))
  })
})

test('the newest by time is the newest where nothing grew from it, whoever else wrote', async () => {
  const storage = memory()
  const root = await putExample(storage, { created: '2026-11-20T08:00:00.000Z', writer: 'a' })
  const other = await putExample(storage, { created: '2026-11-20T09:00:00.000Z', writer: 'b', parent: root.id })
  const newest = await putExample(storage, { created: '2026-11-20T10:00:00.000Z', writer: 'a', parent: root.id })
  expect(await idsOf(storage)).toEqual(ids([newest, other, root]))
  expect((await resolveBackup(storage, 'app', 'latest')).ahead).toBeUndefined()
})
