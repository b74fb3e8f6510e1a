import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import type { Config, ResolvedConfig } from './config.ts'
import { profiles } from './profile.ts'
import { type ResolveConfigOptions, resolveConfig } from './resolve-config.ts'
import { revealEncryption, revealKeys } from './reveal.ts'
import { env } from './secret.ts'
import { runInNode } from './testing/run-in-node.ts'

const GiB = 1024 ** 3
let dir: string

beforeEach(async () => {
  dir = await realpath(await mkdtemp(join(tmpdir(), 'resolve-config-')))
  await writeFile(join(dir, 'package.json'), '{}')
})

afterEach(() => rm(dir, { recursive: true }))

const resolve = (options: ResolveConfigOptions): Promise<ResolvedConfig> =>
  resolveConfig({ environment: {}, cwd: dir, memoryBytes: 8 * GiB, isDocker: false, ...options })

test('an empty config is all defaults', async () => {
  const config = await resolve({ config: {} })
  const { origins, ...values } = config
  expect(values).toEqual({
    enabled: true,
    databases: [],
    storages: [],
    require: 'all',
    compression: { format: 'zst', level: 1 },
    keys: { identities: [] },
    verify: { afterBackup: 'stored', schedule: { kind: 'every', everyMs: 86_400_000, text: 'every 1d' } },
    jobs: [
      {
        name: 'hourly',
        databases: [],
        schedule: { kind: 'every', everyMs: 3_600_000, text: 'every 1h' },
        require: 'all',
        ifChanged: true,
        jitterMs: 30_000,
      },
    ],
    health: { maxAgeMs: 26 * 3_600_000 },
    notify: {},
    restore: 'if-missing',
    onMissingBackup: 'start-empty',
    stop: { backup: 'if-changed', deadline: { ms: 4000, by: 'default' } },
    profile: profiles.default,
    maxPinMs: 5000,
    maxBlockMs: 500,
    reserve: { bytes: 64 * 1024 * 1024, fraction: 0.05 },
    warnings: [],
  })
  expect([...origins.values()].every(({ from }) => from === 'default')).toBe(true)
})

test('flags come before the environment, that before the file, and that before the defaults', async () => {
  const file = join(dir, 'sqlite-backup.config.json')
  await writeFile(
    file,
    JSON.stringify({ require: 'any', compression: { format: 'gz', level: 1 }, maxPin: '1s', environment: 'file' }),
  )
  const config = await resolve({
    flags: { compression: { level: 7 } },
    environment: { SQLITE_BACKUP_LEVEL: '8', SQLITE_BACKUP_MAX_PIN: '2s', SQLITE_BACKUP_ENV: 'variable' },
  })
  expect(config).toMatchObject({
    file,
    compression: { format: 'gz', level: 7 },
    maxPinMs: 2000,
    environment: 'variable',
    require: 'any',
    maxBlockMs: 500,
  })
  expect(Object.fromEntries(config.origins)).toMatchObject({
    'compression.level': { from: 'flag' },
    'compression.format': { from: 'file', detail: file },
    maxPin: { from: 'env', detail: 'SQLITE_BACKUP_MAX_PIN' },
    environment: { from: 'env', detail: 'SQLITE_BACKUP_ENV' },
    require: { from: 'file', detail: file },
    maxBlock: { from: 'default' },
  })
})

test('what a start and a stop do can be set in the environment, `off` for `false`', async () => {
  const config = await resolve({
    config: { stop: { deadline: '20s' } },
    environment: {
      SQLITE_BACKUP_RESTORE_AT_START: 'if-behind',
      SQLITE_BACKUP_ON_MISSING_BACKUP: 'fail',
      SQLITE_BACKUP_STOP_BACKUP: 'off',
    },
  })
  expect(config).toMatchObject({
    restore: 'if-behind',
    onMissingBackup: 'fail',
    stop: { backup: false, deadline: { ms: 20_000, by: 'config' } },
  })
  const off = await resolve({ config: {}, environment: { SQLITE_BACKUP_RESTORE_AT_START: 'off' } })
  expect(off.restore).toBe(false)
})

test('the platform’s variables only fill what the file leaves open', async () => {
  const environment = { DATABASE_URL: 'file:./other.db', BUCKET_NAME: 'uploads', AWS_ACCESS_KEY_ID: 'x' }
  const config = await resolve({ config: { databases: { app: './app.db' }, storages: { disk: './b' } }, environment })
  expect(config.databases.map(({ path }) => path)).toEqual([join(dir, 'app.db')])
  expect(config.storages.map(({ name }) => name)).toEqual(['disk'])
  const open = await resolve({ config: { storages: { disk: './b' } }, environment })
  expect(open.databases).toEqual([
    { name: 'other', path: join(dir, 'other.db'), spoolDir: join(dir, '.sqlite-backup/other.db') },
  ])
  expect(open.origins.get('databases')).toEqual({ from: 'env', detail: 'DATABASE_URL' })
})

test('a bucket that only happens to be in the environment does not stop an app without the adapter', async () => {
  const inNode = (environment: object) => runInNode('resolve-config.ts', 'resolveConfig', { environment, cwd: dir })
  expect((await inNode({ BUCKET_NAME: 'uploads', AWS_ACCESS_KEY_ID: 'x' })).value).toMatchObject({
    storages: [],
    warnings: [
      'The environment names a bucket (s3://uploads/sqlite-backup). @sqlite-backup/storage-s3 is not installed. Run: npm install @sqlite-backup/storage-s3',
    ],
  })
  expect((await inNode({ SQLITE_BACKUP_TO: 's3://uploads' })).error).toMatchObject({ code: 'STORAGE_ADAPTER_MISSING' })
})

test('without a file the environment suffices', async () => {
  const config = await resolve({ environment: { SQLITE_BACKUP_DB: './data/app.db', SQLITE_BACKUP_TO: './backups' } })
  expect(config.databases).toMatchObject([{ name: 'app', path: join(dir, 'data/app.db') }])
  expect(config.storages).toMatchObject([
    { name: 'main', storage: { kind: 'filesystem', localDir: join(dir, 'backups') } },
  ])
  expect(config.file).toBeUndefined()
})

test('paths of a file start at the file, those of flags and variables where one stands', async () => {
  await mkdir(join(dir, 'src'))
  const file = join(dir, 'sqlite-backup.config.json')
  await writeFile(file, JSON.stringify({ databases: { app: './app.db' }, spool: { dir: './spool' } }))
  const cwd = join(dir, 'src')
  const config = await resolve({ cwd, flags: { storages: { to: './backups' } } })
  expect(config.databases).toEqual([{ name: 'app', path: join(dir, 'app.db'), spoolDir: join(dir, 'spool/app') }])
  expect(config.storages).toMatchObject([{ storage: { localDir: join(cwd, 'backups') } }])
})

test('a database has one spool, whatever link leads to it', async () => {
  await mkdir(join(dir, 'data'))
  await writeFile(join(dir, 'data/real.db'), '')
  await symlink('data/real.db', join(dir, 'link.db'))
  const { databases } = await resolve({ config: { databases: { app: './link.db' } } })
  expect(databases).toEqual([
    { name: 'app', path: join(dir, 'data/real.db'), spoolDir: join(dir, 'data/.sqlite-backup/real.db') },
  ])
})

test('a database in a folder that is still to be made keeps its path', async () => {
  const { databases } = await resolve({ config: { databases: { app: { path: './no/such/app.db', spool: './s' } } } })
  expect(databases).toEqual([{ name: 'app', path: join(dir, 'no/such/app.db'), spoolDir: join(dir, 's') }])
})

test.each<[Config, string]>([
  [{ databases: { app: './a.db', App: './b.db' } }, 'Databases "app" and "App" have the same name.'],
  [{ databases: { a: './a.db', b: './x/../a.db' } }, 'Databases "a" and "b" have the same file.'],
  [
    { databases: { a: { path: './a.db', spool: './s' }, b: { path: './b.db', spool: './s' } } },
    'Databases "a" and "b" have the same spool.',
  ],
  [{ databases: { a: ':memory:' } }, 'Database "a" is in memory, and there is no file to back up.'],
  [{ databases: { a: 'libsql://u:hunter2@x.turso.io' } }, 'Database "a" is not a file: libsql://…@x.turso.io'],
  [{ compression: { format: 'gz', level: 12 } }, 'compression.level should be 1 to 9 for gz.'],
  [{ storages: { s: 'gs://bucket' } }, 'There is no storage for gs: URLs.'],
  [{ databases: { a: env('NOT_THERE') } }, 'The environment variable NOT_THERE is not set'],
  [
    { encryption: { recipients: ['age1x'], passphrase: env('P') } },
    'encryption has recipients and a passphrase; age takes one or the other.',
  ],
])('%j is refused', async (config, message) => {
  await expect(resolve({ config })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining(message),
  })
})

test('text may come from the environment, and what is optional may be missing', async () => {
  const config = await resolve({
    config: {
      databases: { app: env('DB'), other: env('OTHER_DB', { optional: true }) },
      storages: { disk: { env: 'TO' }, offsite: { env: 'OFFSITE', optional: true } },
      environment: env('STAGE', { optional: true }),
      appVersion: { env: 'SHA' },
    },
    environment: { DB: './app.db', TO: './backups', SHA: 'abc' },
  })
  expect(config.databases.map(({ name }) => name)).toEqual(['app'])
  expect(config.storages.map(({ name }) => name)).toEqual(['disk'])
  expect(config.environment).toBeUndefined()
  expect(config.appVersion).toBe('abc')
})

test('a storage object is taken as it is', async () => {
  const storage = memory()
  const config = await resolve({ config: { storages: { memory: storage } } })
  expect(config.storages).toEqual([{ name: 'memory', storage }])
})

test.each([
  [256 * 1024 ** 2, 'auto', 'small'],
  [512 * 1024 ** 2, 'auto', 'small'],
  [513 * 1024 ** 2, 'auto', 'default'],
  [256 * 1024 ** 2, 'default', 'default'],
  [8 * GiB, 'small', 'small'],
] as const)('with %d bytes of memory, profile %s is %s', async (memoryBytes, profile, name) => {
  expect((await resolve({ config: { profile }, memoryBytes })).profile).toBe(profiles[name])
})

test('a reserve that was stated is exactly that', async () => {
  expect((await resolve({ config: { spool: { reserve: '1GB' } } })).reserve).toEqual({ bytes: 1e9, fraction: 0 })
})

test('SQLITE_BACKUP=off opens no storage', async () => {
  const config = await resolve({
    config: { storages: { offsite: 's3://bucket' } },
    environment: { SQLITE_BACKUP: 'off' },
  })
  expect(config).toMatchObject({ enabled: false, storages: [] })
})

test('secrets are revealed by one function and never printed', async () => {
  const identityFile = join(dir, 'id.txt')
  await writeFile(identityFile, '# created: 2026-11-20\n# public key: age1x\nAGE-SECRET-KEY-1FILE\n')
  const config = await resolve({
    config: {
      encryption: {
        passphrase: env('PASS'),
        identities: [env('ID'), env('ID2', { optional: true })],
        identityFile: './id.txt',
      },
    },
    environment: { PASS: 'correct horse', ID: 'AGE-SECRET-KEY-1A\nAGE-SECRET-KEY-1B' },
  })
  expect(revealEncryption(config)).toEqual({ passphrase: 'correct horse', workFactor: 16 })
  expect(await revealKeys(config)).toEqual({
    identities: ['AGE-SECRET-KEY-1A', 'AGE-SECRET-KEY-1B', 'AGE-SECRET-KEY-1FILE'],
    passphrase: 'correct horse',
  })
  for (const printed of [JSON.stringify(config), inspect(config, { depth: 9 })]) {
    expect(printed).not.toContain('correct horse')
    expect(printed).not.toContain('AGE-SECRET-KEY')
    expect(printed).toContain('env(PASS)')
  }
})

test('a small machine gets a passphrase that it can work with', async () => {
  const config = await resolve({
    config: { encryption: { passphrase: env('PASS') }, profile: 'small' },
    environment: { PASS: 'correct horse' },
  })
  expect(revealEncryption(config)).toEqual({ passphrase: 'correct horse', workFactor: 14 })
})

test('a passphrase that is not set never means in the clear', async () => {
  const config = await resolve({ config: { encryption: { passphrase: env('PASS', { optional: true }) } } })
  expect(() => revealEncryption(config)).toThrow('PASS is not set, and backups are encrypted with it.')
})

test('recipients of the environment replace the passphrase of the file', async () => {
  const config = await resolve({
    config: { encryption: { passphrase: env('PASS') } },
    environment: { SQLITE_BACKUP_RECIPIENTS: 'age1x' },
  })
  expect(revealEncryption(config)).toEqual({ recipients: ['age1x'] })
  expect(config.origins.get('encryption.recipients')).toEqual({ from: 'env', detail: 'SQLITE_BACKUP_RECIPIENTS' })
})

test('an identity file that is not there is named when it is needed', async () => {
  const config = await resolve({ config: { encryption: { identityFile: './none' } } })
  await expect(revealKeys(config)).rejects.toMatchObject({
    code: 'IDENTITY_MISSING',
    message: expect.stringContaining(join(dir, 'none')),
  })
})
