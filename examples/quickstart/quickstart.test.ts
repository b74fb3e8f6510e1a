import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

test('the app is killed, loses its disk and comes back with every order that was backed up', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['demo.mjs'], { cwd: import.meta.dirname })
  expect(stdout).toContain('Boot said "restored". 2,000 of 2,025 orders survived')
  expect(stdout).toContain('proven, 2,000 orders in it')
  expect(stdout).toContain('It works on: 2,001 orders now.')
})
