import { expect, test } from 'vitest'
import { isBackupError } from '../errors.ts'
import { memory } from '../storage/memory.ts'
import type { Config } from './config.ts'
import { defineConfig } from './define-config.ts'
import { env } from './secret.ts'
import { validateConfig } from './validate-config.ts'

function problemOf(config: unknown): string {
  try {
    validateConfig(config)
  } catch (error) {
    if (isBackupError(error, 'CONFIG_INVALID')) return error.message
    throw error
  }
  return 'none'
}

test('everything there is can be said', () => {
  const config: Config = {
    databases: { app: './app.db', 'tenants/acme': { path: env('DB'), spool: './spool' }, other: { env: 'OTHER' } },
    storages: { local: './backups', offsite: 's3://bucket/prefix', memory: memory(), hidden: env('TO') },
    require: 'any',
    compression: { format: 'gz', level: 9 },
    encryption: {
      passphrase: env('PASS'),
      identities: [env('ID'), { env: 'ID2', optional: true }],
      identityFile: './id',
    },
    verify: { afterBackup: 'proven' },
    environment: 'production',
    appVersion: env('GIT_SHA', { optional: true }),
    profile: 'small',
    maxPin: '2s',
    maxBlock: '250ms',
    spool: { dir: './spool', reserve: '1GB' },
    log: console,
  }
  expect(defineConfig(config)).toBe(config)
  expect(problemOf({})).toBe('none')
})

test.each([
  [{ databses: {} }, 'Unknown option "databses". Did you mean "databases"?'],
  [{ compression: { levle: 3 } }, 'Unknown option "compression.levle". Did you mean "compression.level"?'],
  [{ databases: { app: { pth: './x' } } }, 'Unknown option "databases.app.pth". Did you mean "databases.app.path"?'],
  [
    { databases: { app: { path: './x', spol: 'y' } } },
    'Unknown option "databases.app.spol". Did you mean "databases.app.spool"?',
  ],
  [{ spool: { reserv: '1GB' } }, 'Unknown option "spool.reserv". Did you mean "spool.reserve"?'],
  [{ verify: { afterbackup: 'stored' } }, 'Unknown option "verify.afterbackup". Did you mean "verify.afterBackup"?'],
  [{ encryption: { recipient: [] } }, 'Unknown option "encryption.recipient". Did you mean "encryption.recipients"?'],
  [{ afterBackup: 'stored' }, 'Unknown option "afterBackup". Did you mean "verify.afterBackup"?'],
  [{ schedule: 'x' }, 'Unknown option "schedule". Did you mean "verify.schedule" or "jobs.<name>.schedule"?'],
  [{ retenion: {} }, 'Unknown option "retenion". Did you mean "retention"?'],
  [{ retention: { dayly: '7d' } }, 'Unknown option "retention.dayly". Did you mean "retention.daily"?'],
  [{ retention: { keepDaily: 7 } }, 'Unknown option "retention.keepDaily". '],
  [
    { jobs: { night: { shedule: '0 3 * * *' } } },
    'Unknown option "jobs.night.shedule". Did you mean "jobs.night.schedule"?',
  ],
  [{ whatever: 'x' }, 'Unknown option "whatever". Here one can say: databases, storages, require, '],
])('%j: %s', (config, problem) => {
  expect(problemOf(config)).toContain(problem)
})

test('all problems are told at once', () => {
  const problem = problemOf({ databses: {}, compression: { level: 0, fromat: 'zst' }, maxPin: '5' })
  expect(problem).toContain('"databases"?')
  expect(problem).toContain('"compression.format"?')
  expect(problem).toContain('compression.level should be a number, not 0')
  expect(problem).toContain('maxPin: "5" is not a duration like 5s, 15m, 26h or 7d. Units are ms, s, m, h, d, w.')
})

test.each([
  [null, 'The config should be an object, not null'],
  [[], 'The config should be an object, not a list'],
  ['./app.db', 'The config should be an object, not "./app.db"'],
  [{ databases: './app.db' }, 'databases should be an object, not "./app.db"'],
  [{ databases: { app: 5 } }, 'databases.app should be a path or an object, not 5'],
  [{ databases: { app: {} } }, 'databases.app.path is missing: it should be a path'],
  [{ databases: { '': './x' } }, '"" is no name for a database: it is empty.'],
  [{ databases: { 'a\u0000': './x' } }, 'is no name for a database: it has control characters.'],
  [{ storages: { 'a/b': './x' } }, '"a/b" is no name for a storage'],
  [{ storages: { local: {} } }, 'storages.local should be an adapter or a URL, not an object'],
  [{ storages: { local: { put() {} } } }, 'storages.local should be an adapter or a URL, not an object'],
  [{ require: 'both' }, 'require should be all or any, not "both"'],
  [{ compression: { format: 'zstd' } }, 'compression.format should be zst, gz or none, not "zstd"'],
  [{ compression: { level: 20 } }, 'compression.level should be a number, not 20'],
  [{ compression: 'zst' }, 'compression should be an object, not "zst"'],
  [{ environment: '' }, 'environment should be text, not ""'],
  [{ spool: { reserve: '64' } }, 'spool.reserve: "64" is not a size like 64MB, 512MiB or 20GB.'],
  [{ jobs: { night: { schedule: 'sometimes' } } }, 'jobs.night.schedule: "sometimes" is not a schedule: '],
  [{ jobs: { night: { schedule: '0 0 31 2 *' } } }, 'jobs.night.schedule: "0 0 31 2 *" never comes'],
  [{ jobs: { night: { schedule: 'every 5' } } }, 'jobs.night.schedule: "5" is not a duration'],
  [
    { jobs: { night: { schedule: '0 3 * * *', timeZone: 'Mars/Olympus' } } },
    'jobs.night.timeZone: "Mars/Olympus" is not',
  ],
  [{ jobs: { night: {} } }, 'jobs.night.schedule is missing: it should be a schedule'],
  [{ jobs: { 'a b': { schedule: '0 3 * * *' } } }, '"a b" is no name for a job'],
  [{ jobs: true }, 'jobs should be an object or false, not true'],
  [{ retention: { daily: -1 } }, 'retention.daily should be a duration, a number, null, or a list of them, not -1'],
  [{ retention: { daily: '30' } }, 'retention.daily: "30" is not a duration like'],
  [{ retention: { keepLast: '7d' } }, 'retention.keepLast should be a number or null, not "7d"'],
  [{ log: {} }, 'log should be a logger or false, not an object'],
  [{ encryption: { recipients: ['ssh-ed25519 AAAA'] } }, 'encryption.recipients.0 should be an age recipient (age1…).'],
])('%j: %s', (config, problem) => {
  expect(problemOf(config)).toContain(problem)
})

test('a secret in a config is refused, and not shown', () => {
  const problem = problemOf({ encryption: { passphrase: 'correct horse', identities: 'AGE-SECRET-KEY-1QQQ' } })
  expect(problem).not.toContain('correct horse')
  expect(problem).not.toContain('QQQ')
  expect(problem).toContain(
    "encryption.passphrase should be env(). Secrets do not belong in a config: write env('NAME')",
  )
})

test('the hint says where to look', () => {
  expect(() => validateConfig({ x: 1 }, { source: '/app/sqlite-backup.config.mts' })).toThrow(
    expect.objectContaining({ hint: expect.stringContaining('Look at /app/sqlite-backup.config.mts.') }),
  )
})

test('a config with the prototype of an attack is only a config with an unknown option', () => {
  expect(problemOf(JSON.parse('{"__proto__": {"require": "any"}}'))).toContain('Unknown option "__proto__"')
  expect(problemOf({ constructor: 1 })).toContain('Unknown option "constructor"')
})
