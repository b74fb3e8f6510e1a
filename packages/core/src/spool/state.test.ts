import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ensureSpoolState, readSpoolState, writeSpoolState } from './state.ts'

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

test('a file that nobody can read is replaced', async () => {
  writeFileSync(join(dir, 'state.json'), '{"writer":')
  const state = await ensureSpoolState(dir)
  expect(await readSpoolState(dir)).toEqual(state)
})
