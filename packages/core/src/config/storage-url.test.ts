import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openStorageUrl, parseStorageUrl } from './storage-url.ts'
import { runInNode } from './testing/run-in-node.ts'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'storage url ü '))
})

afterEach(() => rm(dir, { recursive: true }))

test.each([
  ['./backups', '/app/backups'],
  ['backups', '/app/backups'],
  ['../b', '/b'],
  ['/mnt/backups', '/mnt/backups'],
  ['file:///mnt/my%20backups', '/mnt/my backups'],
  ['file:/mnt/backups', '/mnt/backups'],
  ['file:./backups', '/app/backups'],
  ['~/backups', join(homedir(), 'backups')],
  ['with:colon/x', undefined],
  ['./with:colon', '/app/with:colon'],
])('%s is the folder %s', (text, folder) => {
  if (folder === undefined) expect(() => parseStorageUrl(text, '/app')).toThrow('There is no storage for with: URLs.')
  else expect(parseStorageUrl(text, '/app')).toEqual({ kind: 'folder', dir: folder })
})

test('an s3 URL is left to its adapter', () => {
  for (const url of ['s3://bucket/prefix?endpoint=https://s3.example.com', 's3://', 's3:///prefix']) {
    expect(parseStorageUrl(url, '/app')).toEqual({ kind: 'adapter', scheme: 's3', url })
  }
})

test.each(['s3:bucket', 's3://a b/', 'gs://bucket', 'postgres://u:hunter2@host/db', 'file://host/x'])(
  '%s is refused',
  (text) => {
    expect(() => parseStorageUrl(text, '/app')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  },
)

test('credentials in a URL are refused and not repeated', () => {
  expect(() => parseStorageUrl('s3://key:hunter2@bucket/prefix', '/app')).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: 's3://…@bucket/prefix has credentials in it.',
    }),
  )
})

test('a folder opens as a filesystem storage', async () => {
  const storage = await openStorageUrl('./backups', { cwd: dir, environment: {} })
  expect(storage).toMatchObject({ kind: 'filesystem', localDir: join(dir, 'backups') })
})

/** An app with its own node_modules, and an adapter in it. */
async function installAdapter(source: string): Promise<void> {
  const folder = join(dir, 'node_modules/@sqlite-backup/storage-s3')
  await mkdir(folder, { recursive: true })
  const exports = { '.': { types: './x.d.ts', default: './index.js' } }
  await writeFile(
    join(folder, 'package.json'),
    JSON.stringify({ name: '@sqlite-backup/storage-s3', type: 'module', exports }),
  )
  await writeFile(join(folder, 'index.js'), source)
}

test('the adapter is the one the app has installed, and gets the URL and the environment', async () => {
  await installAdapter('export const s3FromUrl = async (url, env) => ({ name: url + " " + env.REGION, put() {} })')
  const storage = await openStorageUrl('s3://bucket/app', { cwd: dir, environment: { REGION: 'eu' } })
  expect(storage.name).toBe('s3://bucket/app eu')
})

test('an adapter of another version says so', async () => {
  await installAdapter('export const other = 1')
  await expect(openStorageUrl('s3://bucket', { cwd: dir, environment: {} })).rejects.toMatchObject({
    code: 'STORAGE_ADAPTER_MISSING',
    hint: expect.stringContaining('npm install @sqlite-backup/storage-s3@latest'),
  })
})

test('an adapter that cannot be loaded says why', async () => {
  await installAdapter('import "missing-sdk"')
  await expect(openStorageUrl('s3://bucket', { cwd: dir, environment: {} })).rejects.toMatchObject({
    code: 'STORAGE_ADAPTER_MISSING',
    message: expect.stringContaining('missing-sdk'),
  })
})

test('without the adapter one is told what to install', async () => {
  const { error } = await runInNode('storage-url.ts', 'openStorageUrl', 's3://bucket', { cwd: dir, environment: {} })
  expect(error).toEqual({
    code: 'STORAGE_ADAPTER_MISSING',
    message: '@sqlite-backup/storage-s3 is not installed.',
    hint: 'Run: npm install @sqlite-backup/storage-s3',
  })
})
