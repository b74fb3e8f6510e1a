import { expect, test } from 'vitest'
import { options } from './defaults.ts'
import { fromEnvironment } from './from-environment.ts'

const read = (environment: Record<string, string>) => fromEnvironment(environment, '/app')

test('an empty environment says nothing', () => {
  expect(read({ PATH: '/bin', SQLITE_BACKUP_DB: '' })).toEqual({
    own: {},
    ambient: {},
    variableOf: new Map(),
    enabled: true,
    warnings: [],
  })
})

test('every option with a variable can be set by it', () => {
  const values: Record<string, string> = {
    SQLITE_BACKUP_DB: './data/app.db',
    SQLITE_BACKUP_TO: 's3://bucket/app',
    SQLITE_BACKUP_REQUIRE: 'any',
    SQLITE_BACKUP_COMPRESSION: 'gz',
    SQLITE_BACKUP_LEVEL: '9',
    SQLITE_BACKUP_RECIPIENTS: 'age1aaa, age1bbb',
    SQLITE_BACKUP_PASSPHRASE: 'correct horse',
    SQLITE_BACKUP_IDENTITY: 'AGE-SECRET-KEY-1X',
    SQLITE_BACKUP_IDENTITY_FILE: '/run/secrets/id',
    SQLITE_BACKUP_VERIFY: 'checked',
    SQLITE_BACKUP_VERIFY_SCHEDULE: 'off',
    SQLITE_BACKUP_SCHEDULE: '17 * * * *',
    SQLITE_BACKUP_RETENTION: '{ "daily": "14d", "yearly": null }',
    SQLITE_BACKUP_MAX_AGE: '2d',
    HEARTBEAT_URL: 'https://hc-ping.example/uuid',
    SQLITE_BACKUP_RESTORE_AT_START: 'if-behind',
    SQLITE_BACKUP_ON_MISSING_BACKUP: 'fail',
    SQLITE_BACKUP_STOP_BACKUP: 'off',
    SQLITE_BACKUP_STOP_DEADLINE: '9s',
    SQLITE_BACKUP_ENV: 'staging',
    SQLITE_BACKUP_APP_VERSION: '1.2.3',
    SQLITE_BACKUP_PROFILE: 'small',
    SQLITE_BACKUP_MAX_PIN: '2s',
    SQLITE_BACKUP_MAX_BLOCK: '100ms',
    SQLITE_BACKUP_SPOOL: '/var/spool',
    SQLITE_BACKUP_RESERVE: '1GB',
  }
  const named = Object.values(options).flatMap(({ variable }) => variable ?? [])
  expect(Object.keys(values).sort()).toEqual([...named].sort())

  const { own, warnings } = read(values)
  expect(warnings).toEqual([])
  expect(own).toMatchObject({
    databases: { app: './data/app.db' },
    storages: { main: 's3://bucket/app' },
    require: 'any',
    compression: { format: 'gz', level: 9 },
    encryption: { recipients: ['age1aaa', 'age1bbb'], identityFile: '/run/secrets/id' },
    verify: { afterBackup: 'checked', schedule: false },
    jobs: { scheduled: { schedule: '17 * * * *' } },
    retention: { daily: '14d', yearly: null },
    health: { maxAge: '2d' },
    restore: 'if-behind',
    onMissingBackup: 'fail',
    stop: { backup: false, deadline: '9s' },
    environment: 'staging',
    appVersion: '1.2.3',
    profile: 'small',
    maxPin: '2s',
    maxBlock: '100ms',
    spool: { dir: '/var/spool', reserve: '1GB' },
  })
  // A secret stays in the environment.
  expect(JSON.stringify(own)).not.toContain('correct horse')
  expect(JSON.stringify(own)).not.toContain('AGE-SECRET-KEY')
})

test.each([
  [{ SQLITE_BACKUP_LEVEL: 'high' }, 'SQLITE_BACKUP_LEVEL should be a number, not "high".'],
  [{ SQLITE_BACKUP_VERIFY: 'deep' }, 'SQLITE_BACKUP_VERIFY should be stored, checked or proven, not "deep".'],
  [{ SQLITE_BACKUP_MAX_PIN: '5' }, 'SQLITE_BACKUP_MAX_PIN: "5" is not a duration'],
  [{ SQLITE_BACKUP: 'maybe' }, 'SQLITE_BACKUP should be "on" or "off", not "maybe".'],
])('%j is refused by the variable’s name', (environment, message) => {
  expect(() => read(environment)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(message) }),
  )
})

test.each([
  ['off', false],
  ['0', false],
  ['false', false],
  ['OFF', false],
  ['on', true],
  ['1', true],
  ['', true],
])('SQLITE_BACKUP=%s', (value, enabled) => {
  expect(read({ SQLITE_BACKUP: value }).enabled).toBe(enabled)
})

test.each([
  ['./data/app.db', 'app', './data/app.db'],
  ['file:./data/app.sqlite', 'app', 'file:./data/app.sqlite'],
  ['file:///data/my.app.sqlite3?mode=rwc', 'my.app', 'file:///data/my.app.sqlite3?mode=rwc'],
  ['sqlite:///data/app.db', 'app', 'sqlite:///data/app.db'],
])('the app’s own DATABASE_URL %s is a database', (url, name, path) => {
  expect(read({ DATABASE_URL: url }).ambient).toEqual({ databases: { [name]: path } })
})

test.each(['postgres://u:p@host/db', 'mysql://host/db', 'libsql://x.turso.io', ':memory:', 'file::memory:', ''])(
  'a DATABASE_URL of %j is none of ours',
  (url) => {
    expect(read({ DATABASE_URL: url }).ambient).toEqual({})
  },
)

test.each([
  ['BUCKET_NAME', 'AWS_ACCESS_KEY_ID'],
  ['BUCKET_NAME', 'AWS_WEB_IDENTITY_TOKEN_FILE'],
  ['BUCKET', 'BUCKET_ACCESS_KEY_ID'],
  ['AWS_S3_BUCKET_NAME', 'AWS_ACCESS_KEY_ID'],
  ['R2_BUCKET', 'R2_ACCESS_KEY_ID'],
  ['B2_BUCKET_NAME', 'B2_APPLICATION_KEY_ID'],
  ['TIGRIS_STORAGE_BUCKET', 'TIGRIS_STORAGE_ACCESS_KEY_ID'],
])('the platform’s %s with %s is a storage, in a folder of its own', (bucket, key) => {
  const { ambient, variableOf } = read({ [bucket]: 'acme-bucket', [key]: 'x' })
  expect(ambient).toEqual({ storages: { main: 's3://acme-bucket/sqlite-backup' } })
  expect(variableOf.get('storages')).toBe(bucket)
})

test('the bucket goes with the keys that are there', () => {
  const environment = { BUCKET_NAME: 'other', R2_BUCKET: 'ours', R2_ACCESS_KEY_ID: 'x' }
  expect(read(environment).ambient).toEqual({ storages: { main: 's3://ours/sqlite-backup' } })
})

test('a bucket without keys may be of any kind of store, and is left alone', () => {
  expect(read({ BUCKET_NAME: 'uploads', GOOGLE_APPLICATION_CREDENTIALS: '/x.json' }).ambient).toEqual({})
})

test('a variable that is meant for us comes before the platform’s', () => {
  const { own, ambient } = read({
    SQLITE_BACKUP_TO: './backups',
    SQLITE_BACKUP_DB: './a.db',
    BUCKET_NAME: 'acme',
    DATABASE_URL: './b.db',
  })
  expect(own).toEqual({ databases: { a: './a.db' }, storages: { main: './backups' } })
  expect(ambient).toEqual({})
})

test('a misspelt variable is told', () => {
  expect(read({ SQLITE_BACKUP_T0: 'x', SQLITE_BACKUP_LEVLE: '3' }).warnings).toEqual([
    'Nothing reads the environment variable SQLITE_BACKUP_T0. Did you mean SQLITE_BACKUP_TO?',
    'Nothing reads the environment variable SQLITE_BACKUP_LEVLE. Did you mean SQLITE_BACKUP_LEVEL?',
  ])
})

test('the file, and what to restore, are said by variables alone', () => {
  expect(read({ SQLITE_BACKUP_CONFIG: 'x.mts', SQLITE_BACKUP_RESTORE: 'latest' })).toMatchObject({
    configFile: 'x.mts',
    restoreOnce: 'latest',
    warnings: [],
  })
})
