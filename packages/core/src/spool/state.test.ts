import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ensureSpoolState, readSpoolState, withMade, writeSpoolState } from './state.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'state-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

test('a new writer is written down once, whoever asks first', async () => {
  const asked = await Promise.all(Array.from({ length: 10 }, () => ensureSpoolState(dir)))
  expect(new Set(asked.map(({ writer }) => writer)).size).toBe(1)
  expect(await readSpoolState(dir)).toEqual(asked[0])
})

test('what is there is taken as it is', async () => {
  const state = { writer: 'abc', parent: '20261120T030000Z-k3v7qa2m', fingerprint: 'x', lastBackupMs: 5 }
  await writeSpoolState(dir, state)
  expect(await ensureSpoolState(dir)).toEqual(state)
})

test('what it was written by before, or holds that is no backup, is read all the same', async () => {
  const made = { id: '20261120T030000Z-k3v7qa2m', fingerprint: 'x' }
  writeFileSync(join(dir, 'state.json'), JSON.stringify({ writer: 'abc', madeFor: { a: made, b: 5, c: { id: 'x' } } }))
  expect(await readSpoolState(dir)).toEqual({ writer: 'abc', madeFor: { a: made } })
  writeFileSync(join(dir, 'state.json'), JSON.stringify({ writer: 'abc', madeFor: 'x' }))
  expect(await readSpoolState(dir)).toEqual({ writer: 'abc', madeFor: {} })
})

test('of many storages the last are remembered', () => {
  const made = { id: '20261120T030000Z-k3v7qa2m', fingerprint: 'x' }
  let madeFor = withMade({ writer: 'abc' }, ['first'], made)
  for (let i = 0; i < 15; i++) madeFor = withMade({ writer: 'abc', madeFor }, [`s${i}`], made)
  madeFor = withMade({ writer: 'abc', madeFor }, ['first'], { ...made, fingerprint: 'y' })
  madeFor = withMade({ writer: 'abc', madeFor }, ['last'], made)
  expect(Object.keys(madeFor)).toHaveLength(16)
  expect(madeFor).toMatchObject({ first: { fingerprint: 'y' }, last: made })
  expect(madeFor).not.toHaveProperty('s0')
})

test('a file that nobody can read is replaced', async () => {
  writeFileSync(join(dir, 'state.json'), '{"writer":')
  const state = await ensureSpoolState(dir)
  expect(await readSpoolState(dir)).toEqual(state)
})
