import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { followLinks } from './follow-links.ts'

let dir: string
beforeAll(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'links-')))
  mkdirSync(join(dir, 'volume'))
  writeFileSync(join(dir, 'volume', 'there.db'), '')
})
afterAll(() => rmSync(dir, { recursive: true }))

test('leaves a path without links alone, whether the file exists or not', async () => {
  expect(await followLinks(join(dir, 'volume', 'there.db'))).toBe(join(dir, 'volume', 'there.db'))
  expect(await followLinks(join(dir, 'volume', 'missing.db'))).toBe(join(dir, 'volume', 'missing.db'))
})

test('follows links of files and folders, also to a file that does not exist', async () => {
  symlinkSync('volume', join(dir, 'data'))
  symlinkSync(join('data', 'missing.db'), join(dir, 'one'))
  symlinkSync(join(dir, 'one'), join(dir, 'two'))
  expect(await followLinks(join(dir, 'two'))).toBe(join(dir, 'volume', 'missing.db'))
  symlinkSync(join('data', 'there.db'), join(dir, 'three'))
  expect(await followLinks(join(dir, 'three'))).toBe(join(dir, 'volume', 'there.db'))
})

test('refuses a circle, and a folder that is not there', async () => {
  symlinkSync('left', join(dir, 'right'))
  symlinkSync('right', join(dir, 'left'))
  await expect(followLinks(join(dir, 'left'))).rejects.toMatchObject({ code: 'ELOOP' })
  await expect(followLinks(join(dir, 'nowhere', 'app.db'))).rejects.toMatchObject({ code: 'ENOENT' })
})
