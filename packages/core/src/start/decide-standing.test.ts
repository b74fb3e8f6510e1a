import { expect, test } from 'vitest'
import type { LineageNode } from '../catalog/lineage.ts'
import { decideStanding } from './decide-standing.ts'

const node = (id: string, writer: string, parent?: string): LineageNode => ({
  id,
  created: '2026-11-20T03:00:00.000Z',
  tier: 'hourly',
  lineage: { writer, ...(parent === undefined ? {} : { parent }) },
})
const mine = { writer: 'me', parent: 'a' }

test('a storage that is empty, or has our own backup as the newest, has nothing newer', () => {
  expect(decideStanding({ mine, isUnchanged: false, theirs: [] })).toBe('current')
  expect(decideStanding({ mine, isUnchanged: false, theirs: [node('a', 'me')] })).toBe('current')
  expect(decideStanding({ mine, isUnchanged: false, theirs: [node('z', 'me', 'a')] })).toBe('current')
})

test('others went on from where we stand: behind, also when the backup in between was pruned', () => {
  const theirs = [node('c', 'they', 'b'), node('b', 'they', 'a'), node('a', 'me')]
  expect(decideStanding({ mine, isUnchanged: true, theirs })).toBe('behind')
  expect(decideStanding({ mine, isUnchanged: true, theirs: theirs.slice(0, 2) })).toBe('behind')
})

test('with something of our own since, it is a fork, and nothing may be overwritten', () => {
  const theirs = [node('b', 'they', 'a'), node('a', 'me')]
  expect(decideStanding({ mine, isUnchanged: false, theirs })).toBe('diverged')
})

test('what does not build on ours is a fork, changed or not', () => {
  expect(decideStanding({ mine, isUnchanged: true, theirs: [node('y', 'they', 'x'), node('x', 'they')] })).toBe(
    'diverged',
  )
})

test('without a parent of our own nothing can be said', () => {
  expect(decideStanding({ mine: { writer: 'me' }, isUnchanged: true, theirs: [node('b', 'they')] })).toBe('unknown')
})
