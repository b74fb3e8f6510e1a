import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { placeOf } from './place-of.ts'

let dir: string
beforeAll(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'place-')))
  mkdirSync(join(dir, 'volume'))
  symlinkSync(join('volume', 'real.db'), join(dir, 'app.db'))
})
afterAll(() => rmSync(dir, { recursive: true }))

test('names the folder of the file that a link leads to', async () => {
  expect(await placeOf(join(dir, 'app.db'))).toEqual({
    target: join(dir, 'volume', 'real.db'),
    folder: join(dir, 'volume'),
  })
})

test('names the nearest folder that is there, for a file in folders that are not', async () => {
  const target = join(dir, 'volume', 'new', 'newer', 'app.db')
  expect(await placeOf(target)).toEqual({ target, folder: join(dir, 'volume') })
})
