import { expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody } from '../storage/storage.ts'
import { catalogKey } from './keys.ts'
import { findForks, findTips, relationToNewest } from './lineage.ts'
import type { Manifest } from './manifest.ts'
import { readLineage } from './read-lineage.ts'
import { type ExampleFacts, exampleManifest, putExample } from './testing/example-manifest.ts'

let hour = 0

/** A backup an hour after the last one. */
function next(writer: string, parent: Manifest | undefined, facts: ExampleFacts = {}): Manifest {
  hour += 1
  const created = new Date(Date.UTC(2026, 0, 1) + hour * 3_600_000)
  return exampleManifest({ created, writer, ...(parent === undefined ? {} : { parent: parent.id }), ...facts })
}

function chain(writer: string, count: number, parent?: Manifest): Manifest[] {
  const made: Manifest[] = []
  for (let index = 0; index < count; index++) made.push(next(writer, made.at(-1) ?? parent))
  return made
}

const idsOf = (backups: readonly { readonly id: string }[]): string[] => backups.map(({ id }) => id)

test('a chain has one tip and no fork', () => {
  const backups = chain('a', 5)
  expect(idsOf(findTips(backups))).toEqual([backups[4]?.id])
  expect(findForks(backups)).toEqual([])
})

test('a new container that restored goes on with the chain', () => {
  const old = chain('a', 3)
  const backups = [...old, ...chain('b', 3, old[2])]
  expect(idsOf(findTips(backups))).toEqual([backups[5]?.id])
})

test('two writers from one parent are a fork, with that parent', () => {
  const root = chain('a', 2)
  const [mine] = [next('b', root[1])]
  const theirs = next('c', root[1])
  const forks = findForks([...root, mine, theirs])
  expect(forks).toMatchObject([
    { newest: { id: theirs.id }, other: { id: mine.id }, parent: root[1]?.id, kind: 'writers' },
  ])
})

test('two writers that take turns are a fork, though each one is older than the other’s newest', () => {
  const root = chain('a', 1)
  const b1 = next('b', root[0])
  const c1 = next('c', root[0])
  const b2 = next('b', b1)
  const c2 = next('c', c1)
  expect(idsOf(findTips([...root, b1, c1, b2, c2]))).toEqual([c2.id, b2.id])
})

test('a database with the same name from somewhere else is a fork without a common parent', () => {
  const ours = chain('a', 2)
  const theirs = chain('b', 2)
  expect(findForks([...ours, ...theirs])).toMatchObject([{ newest: { id: theirs[1]?.id }, other: { id: ours[1]?.id } }])
  expect(findForks([...ours, ...theirs])[0]).not.toHaveProperty('parent')
})

test('another environment that writes to the same place is called so', () => {
  const production = chain('a', 2)
  const staging = next('b', production[0], { environment: 'staging' })
  expect(findForks([...production, staging])).toMatchObject([{ kind: 'environments', parent: production[0]?.id }])
})

test('going back to an older state leaves the abandoned one as a tip', () => {
  const backups = chain('a', 4)
  const after = next('a', backups[1])
  expect(idsOf(findTips([...backups, after]))).toEqual([after.id, backups[3]?.id])
  expect(findForks([...backups, after])).toMatchObject([{ kind: 'restored', parent: backups[1]?.id }])
})

test('it stays a restore when another writer goes on with the restored state', () => {
  const backups = chain('a', 4)
  const after = next('a', backups[1])
  const moved = chain('b', 2, after)
  expect(findForks([...backups, after, ...moved])).toMatchObject([
    { newest: { id: moved[1]?.id }, other: { id: backups[3]?.id }, parent: backups[1]?.id, kind: 'restored' },
  ])
})

test('what a restore replaced is left behind on purpose, whoever goes on', () => {
  const backups = chain('a', 3)
  const replaced = next('a', backups[2], { tier: 'pre-restore' })
  const after = next('b', backups[0])
  expect(findForks([...backups, replaced, after])).toMatchObject([{ other: { id: replaced.id }, kind: 'restored' }])
})

test('pruned backups in between are no fork', () => {
  const backups = chain('a', 12)
  for (const kept of [[0, 11], [0, 4, 8, 11], [3, 5, 11], [11]]) {
    const left = kept.flatMap((index) => backups[index] ?? [])
    expect(idsOf(findTips(left))).toEqual([backups[11]?.id])
  }
})

test('a handover whose backups were pruned is no fork', () => {
  const old = chain('a', 3)
  const young = chain('b', 4, old[2])
  const left = [old[0], young[1], young[3]].flatMap((backup) => backup ?? [])
  expect(idsOf(findTips(left))).toEqual([young[3]?.id])
})

test('a fork stays one when backups on both sides were pruned', () => {
  const root = chain('a', 1)
  const ours = chain('b', 3, root[0])
  const theirs = chain('c', 3, root[0])
  const left = [root[0], ours[0], ours[2], theirs[0], theirs[2]].flatMap((backup) => backup ?? [])
  expect(idsOf(findTips(left))).toEqual([theirs[2]?.id, ours[2]?.id])
})

test('the order in which backups are given does not matter', () => {
  const root = chain('a', 3)
  const backups = [...root, next('b', root[0]), next('c', root[2])]
  expect(idsOf(findTips([...backups].reverse()))).toEqual(idsOf(findTips(backups)))
})

test('a writer knows how the newest backup stands to it', () => {
  const [first, second] = chain('a', 2)
  if (first === undefined || second === undefined) throw new Error('no chain')
  expect(relationToNewest({ writer: 'a' }, undefined)).toBe('none')
  expect(relationToNewest({ writer: 'a', parent: second.id }, second)).toBe('parent')
  expect(relationToNewest({ writer: 'b', parent: second.id }, second)).toBe('parent')
  expect(relationToNewest({ writer: 'a', parent: first.id }, second)).toBe('own-branch')
  expect(relationToNewest({ writer: 'b', parent: first.id }, second)).toBe('fork')
  expect(relationToNewest({ writer: 'b' }, second)).toBe('unknown')
})

test('a fork is seen in a storage', async () => {
  const storage = memory()
  const root = await putExample(storage, { created: '2026-11-20T01:00:00.000Z' })
  const ours = await putExample(storage, { created: '2026-11-20T02:00:00.000Z', writer: 'b', parent: root.id })
  const theirs = await putExample(storage, { created: '2026-11-20T03:00:00.000Z', writer: 'c', parent: root.id })
  const { tips, forks, rivals } = await readLineage(storage, 'app')
  expect(rivals).toEqual([theirs.id, ours.id])
  expect(idsOf(tips)).toEqual([theirs.id, ours.id])
  expect(forks).toMatchObject([{ kind: 'writers', parent: root.id }])
  expect(await readLineage(storage, 'nobody')).toEqual({ manifests: [], tips: [], forks: [], rivals: [], damaged: [] })
})

test('a restore does not make rivals', async () => {
  const storage = memory()
  const first = await putExample(storage, { created: '2026-11-20T01:00:00.000Z' })
  const second = await putExample(storage, { created: '2026-11-20T02:00:00.000Z', parent: first.id })
  const facts = { created: '2026-11-20T03:00:00.000Z', tier: 'pre-restore' as const, parent: second.id }
  const replaced = await putExample(storage, facts)
  expect(await readLineage(storage, 'app')).toMatchObject({ tips: [{ id: replaced.id }], rivals: [] })
  const after = await putExample(storage, { created: '2026-11-20T04:00:00.000Z', parent: first.id })
  expect(await readLineage(storage, 'app')).toMatchObject({ tips: [{ id: after.id }, { id: replaced.id }], rivals: [] })
})

test('a damaged manifest does not hide the others', async () => {
  const storage = memory()
  const first = await putExample(storage, { created: '2026-11-20T01:00:00.000Z' })
  const second = await putExample(storage, { created: '2026-11-20T02:00:00.000Z', parent: first.id })
  await storage.put(catalogKey(second), bytesBody(Buffer.from('{')))
  expect(idsOf((await readLineage(storage, 'app')).tips)).toEqual([first.id])
})
