import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openScratch } from './open-scratch.ts'

test('the copy that a killed process left is gone with the next download; one that is being sent stays', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'scratch-'))
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
  const script = `
    const { openScratch } = await import(${JSON.stringify(join(import.meta.dirname, 'open-scratch.ts'))})
    const { dir } = await openScratch(${JSON.stringify(parent)})
    require('node:fs').writeFileSync(dir + '/download.db', 'all of it')
    console.log(dir)
    setInterval(() => undefined, 1000)`
  const child = spawn(process.execPath, ['-e', `(async () => {${script}})()`], { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const exited = once(child, 'exit')
  const [left = ''] = readdirSync(parent)
  const mine = await openScratch(parent)
  expect(existsSync(join(parent, left, 'download.db'))).toBe(true)
  child.kill('SIGKILL')
  await exited
  const other = await openScratch(parent)
  expect(existsSync(join(parent, left))).toBe(false)
  expect(readdirSync(parent)).toHaveLength(2)
  await mine.remove()
  await other.remove()
  expect(readdirSync(parent)).toEqual([])
})
