import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configFileNames, configsBeside, findConfig } from './find-config.ts'
import { runInNode } from './testing/run-in-node.ts'

let dir: string

beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'load-config-')))
})

afterEach(() => rm(dir, { recursive: true }))

const write = async (name: string, text: string): Promise<string> => {
  const file = join(dir, name)
  await mkdir(join(file, '..'), { recursive: true })
  await writeFile(file, text)
  return file
}
const load = (name?: string) => runInNode('load-config.ts', 'loadConfig', dir, ...(name === undefined ? [] : [name]))
const defineUrl = pathToFileURL(join(import.meta.dirname, 'define-config.ts')).href

test.each([
  ['sqlite-backup.config.mts', 'const config: object = { require: "any" }\nexport default config'],
  ['sqlite-backup.config.ts', 'export default { require: "any" as const }'],
  ['sqlite-backup.config.mjs', 'export default { require: "any" }'],
  ['sqlite-backup.config.js', 'module.exports = { require: "any" }'],
  ['sqlite-backup.config.json', '{ "$schema": "https://example.com/schema.json", "require": "any" }'],
])('%s is found and loaded', async (name, text) => {
  const file = await write(name, text)
  expect(await load()).toEqual({ value: { config: { require: 'any' }, file } })
})

test('the first name wins', async () => {
  for (const name of configFileNames) await write(name, '{}')
  expect(await findConfig(dir)).toBe(join(dir, 'sqlite-backup.config.mts'))
  expect(await configsBeside(join(dir, 'sqlite-backup.config.mts'))).toEqual(configFileNames.slice(1))
})

test('says that a second one is not read', async () => {
  await write('sqlite-backup.config.mjs', 'export default {}')
  await write('sqlite-backup.config.json', '{}')
  const said = 'sqlite-backup.config.mjs is read, and sqlite-backup.config.json beside it is not.'
  const { value } = await runInNode('resolve-config.ts', 'resolveConfig', { cwd: dir, environment: {} })
  expect(value).toMatchObject({ warnings: [said] })
})

test('a config is found from a folder of the project, but not above the project', async () => {
  const file = await write('project/sqlite-backup.config.json', '{}')
  await write('project/package.json', '{}')
  await mkdir(join(dir, 'project/src/deep'), { recursive: true })
  expect(await findConfig(join(dir, 'project/src/deep'))).toBe(file)

  await write('project/inner/package.json', '{}')
  expect(await findConfig(join(dir, 'project/inner'))).toBeUndefined()
  await mkdir(join(dir, 'elsewhere/deep'), { recursive: true })
  await write('elsewhere/sqlite-backup.config.json', '{}')
  expect(await findConfig(join(dir, 'elsewhere/deep'))).toBeUndefined()
})

test('without a config file there is none', async () => {
  await write('package.json', '{}')
  expect(await load()).toEqual({})
})

test('a named file that is not there is an error', async () => {
  for (const name of ['missing.mts', 'missing.json']) {
    expect((await load(name)).error).toMatchObject({
      code: 'CONFIG_NOT_FOUND',
      message: `There is no config file ${join(dir, name)}.`,
    })
  }
})

test.each([
  ['a.mjs', 'export default {', 'cannot be loaded', 'Run `node '],
  ['b.mjs', 'import "not-installed"\nexport default {}', 'not-installed', 'npm install'],
  ['c.mjs', 'throw new Error("my own error")', 'my own error', 'Run `node '],
  ['d.mjs', 'export const config = {}', 'has no default export', 'export default defineConfig'],
  ['e.mts', 'enum A { B }\nexport default {}', 'cannot be loaded', 'only strips types'],
  ['f.json', '{', 'is not JSON', 'no comments'],
  ['g.mjs', 'export default { databses: {} }', 'Did you mean "databases"?', '/g.mjs.'],
  ['h.json', '{ "compression": { "levl": 3 } }', 'Did you mean "compression.level"?', '/h.json.'],
])('%s with %j says what is wrong', async (name, text, message, hint) => {
  await write(name, text)
  expect((await load(name)).error).toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
  })
})

test('what defineConfig says inside the file names the file', async () => {
  const file = await write(
    'i.mts',
    `import { defineConfig } from '${defineUrl}'\nexport default defineConfig({ requir: 'any' })`,
  )
  expect((await load('i.mts')).error).toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'Unknown option "requir". Did you mean "require"?',
    hint: expect.stringContaining(`Look at ${file}.`),
  })
})
