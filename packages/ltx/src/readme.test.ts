import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import * as ltx from './index.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const folder = mkdtempSync(join(tmpdir(), 'ltx-readme-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the examples run as they stand, one after the other, and print what they say', () => {
  const examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map((match) => match[1] ?? '')
  const printed = examples.map((example, index) => {
    const path = join(folder, `example-${index}.mjs`)
    writeFileSync(path, example.replace("'@sqlite-backup/ltx'", `'${new URL('index.ts', import.meta.url)}'`))
    const { status, stdout, stderr } = spawnSync(process.execPath, [path], { cwd: folder, encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: expect.not.stringMatching(/error/i) })
    return stdout.trim()
  })
  expect(printed).toEqual(['hello', 'SQLite format 3'])
})

test('every function that is exported is in the README, and so is every code of an error', () => {
  const functions = Object.entries(ltx).filter(([, value]) => typeof value === 'function')
  for (const [name] of functions) {
    expect(readme, name).toMatch(new RegExp(`\\b${name}\\b`))
  }
  const source = readFileSync(new URL('ltx-error.ts', import.meta.url), 'utf8')
  for (const [, code] of source.matchAll(/\| '(LTX_\w+)'/g)) expect(readme).toContain(`\`${code}\``)
})
