import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import type { Config } from './config.ts'
import { type ResolveConfigOptions, resolveConfig } from './resolve-config.ts'
import { every } from './schedule-text.ts'

const dir = mkdtempSync(join(tmpdir(), 'jobs-'))
afterAll(() => rmSync(dir, { recursive: true }))

const base = {
  databases: { app: './app.db', logs: './logs.db' },
  storages: { disk: './backups', second: './more' },
} satisfies Config

async function resolve(config: Config, more: ResolveConfigOptions = {}) {
  return resolveConfig({ environment: {}, cwd: dir, config: { ...base, ...config }, ...more })
}

describe('jobs', () => {
  test('without any, all databases are backed up hourly if they changed', async () => {
    const { jobs } = await resolve({})
    expect(jobs).toMatchObject([
      { name: 'hourly', databases: ['app', 'logs'], schedule: { text: 'every 1h' }, ifChanged: true, require: 'all' },
    ])
    expect(jobs[0]?.to).toBeUndefined()
  })

  test.each([[false], [{}], [{ hourly: false }]] as const)('%j switches schedules off', async (jobs) => {
    expect((await resolve({ jobs })).jobs).toEqual([])
  })

  test('say what, when and where', async () => {
    const jobs = {
      night: { database: 'app', schedule: '30 3 * * *', timeZone: 'Europe/Berlin', to: ['second'], require: 'any' },
      often: { schedule: every('5m'), to: 'disk', ifChanged: false, jitter: '0s' },
    } as const
    expect((await resolve({ jobs, require: 'all' })).jobs).toEqual([
      {
        name: 'night',
        databases: ['app'],
        schedule: { kind: 'cron', pattern: '30 3 * * *', timeZone: 'Europe/Berlin', text: '30 3 * * *' },
        to: ['second'],
        require: 'any',
        ifChanged: true,
        jitterMs: 30_000,
      },
      {
        name: 'often',
        databases: ['app', 'logs'],
        schedule: { kind: 'every', everyMs: 300_000, text: 'every 5m' },
        to: ['disk'],
        require: 'all',
        ifChanged: false,
        jitterMs: 0,
      },
    ])
  })

  test('that name what is not there are refused', async () => {
    const schedule = every('1h')
    await expect(resolve({ jobs: { a: { schedule, database: 'ap' } } })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: 'jobs.a.database names the database "ap", and there is none. Did you mean "app"?',
    })
    await expect(resolve({ jobs: { a: { schedule, to: ['disk', 'cloud'] } } })).rejects.toMatchObject({
      message: 'jobs.a.to names the storage "cloud", and there is none.',
      hint: 'There are: disk, second.',
    })
  })

  test('a flag that names another database or storage is no mistake of the jobs', async () => {
    const jobs = { night: { schedule: every('1d'), database: 'app', to: 'disk' } }
    const flags = { databases: { other: './other.db' }, storages: { elsewhere: './elsewhere' } }
    expect((await resolve({ jobs }, { flags })).jobs).toMatchObject([{ name: 'night', databases: [] }])
  })

  test('a database whose variable is not set on this machine is left out', async () => {
    const databases = { app: './app.db', extra: { env: 'EXTRA_DB', optional: true } }
    const jobs = { night: { schedule: every('1d'), database: ['app', 'extra'] } }
    expect((await resolve({ jobs, databases })).jobs).toMatchObject([{ databases: ['app'] }])
  })
})

test('the URL of the heartbeat is never shown', async () => {
  const url = 'https://hc-ping.example/0bc3'
  for (const options of [{ config: { notify: { heartbeat: url } } }, { environment: { HEARTBEAT_URL: url } }]) {
    const config = await resolveConfig({ environment: {}, cwd: dir, config: {}, ...options })
    expect(config.notify.heartbeat?.reveal()).toBe(url)
    expect(JSON.stringify(config)).not.toContain('0bc3')
    expect(String(config.notify.heartbeat)).not.toContain('0bc3')
  }
  const wrong = resolve({ notify: { heartbeat: 'ftp://token@x' } })
  await expect(wrong).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.not.stringContaining('token') })
})

test('nothing is deleted until retention is stated', async () => {
  expect((await resolve({})).retention).toBeUndefined()
  expect((await resolve({ retention: false })).retention).toBeUndefined()
  expect((await resolve({ retention: 'default' })).retention).toEqual((await resolve({ retention: {} })).retention)
  expect((await resolve({ retention: {} })).retention?.tiers.yearly).toEqual({ ageMs: null, count: 0 })
})

test('health.maxAge and verify.schedule can be switched off', async () => {
  const config = await resolve({ health: { maxAge: false }, verify: { schedule: false } })
  expect(config.health).toEqual({})
  expect(config.verify).toEqual({ afterBackup: 'stored' })
})
