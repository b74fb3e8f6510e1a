import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, describe, expect, test } from 'vitest'
import { listBackups } from '../catalog/list-backups.ts'
import type { Config } from '../config/config.ts'
import { resolveConfig } from '../config/resolve-config.ts'
import { every } from '../config/schedule-text.ts'
import { createEngine } from '../engine.ts'
import { BackupError } from '../errors.ts'
import type { BackupEvents, EventName, Logger } from '../events.ts'
import { readBeats } from '../monitor/beat.ts'
import { type Listener, listen } from '../notify/testing/listener.ts'
import { faulty } from '../storage/faulty.ts'
import { memory } from '../storage/memory.ts'
import type { Storage } from '../storage/storage.ts'
import { createWorld } from './testing/world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

function makeDatabase() {
  const dir = mkdtempSync(join(tmpdir(), 'schedules-'))
  closing.push(() => rmSync(dir, { recursive: true }))
  const path = join(dir, 'app.db')
  const db = new Database(path)
  closing.push(() => db.close())
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)')
  return { path, write: () => db.exec("INSERT INTO notes (text) VALUES ('a note')") }
}

// Backups carry the real time, because SQLite's process has the machine's clock: so the world begins now.
const worldFromNow = () => createWorld(new Date(Math.ceil(Date.now() / HOUR) * HOUR + 60_000).toISOString())

async function open(config: Config, world = worldFromNow()) {
  const lines: string[] = []
  const note = (_: object, message: string): void => {
    lines.push(message)
  }
  const log: Logger = { debug: note, info: note, warn: note, error: note }
  const resolved = await resolveConfig({ config: { verify: { schedule: false }, log, ...config }, environment: {} })
  const engine = createEngine(resolved, { timer: world, random: () => 0 })
  closing.push(() => engine.close())
  const events: { readonly name: EventName; readonly event: BackupEvents[EventName] }[] = []
  engine.onAny((name, event) => {
    if (!name.endsWith('progress')) events.push({ name, event })
  })
  return { engine, world, lines, names: () => events.splice(0).map(({ name }) => name) }
}

async function count(storage: Storage): Promise<number> {
  let found = 0
  for await (const _ of listBackups(storage, { database: 'app' })) found += 1
  return found
}

describe('schedules', () => {
  test('back up soon after the first start, then every hour if something changed', async () => {
    const { path, write } = makeDatabase()
    const disk = memory()
    const { engine, world, names } = await open({ databases: { app: path }, storages: { disk } })
    const start = world.now()
    await engine.start()
    await world.runUntil(start + 60_000, 1)
    expect(names()).toEqual(['backup.started', 'backup.succeeded'])
    expect(await engine.list('app')).toMatchObject({ items: [{ tier: 'yearly' }] })

    await world.runUntil(start + HOUR, 1)
    expect(names()).toEqual(['backup.started', 'backup.unchanged'])
    write()
    await world.runUntil(start + 2 * HOUR, 1)
    expect(names()).toEqual(['backup.started', 'backup.succeeded'])
    const { items } = await engine.list('app')
    const { manifest } = await engine.show(items[0]?.id ?? '')
    expect(manifest).toMatchObject({ trigger: 'schedule', job: 'hourly' })
  })

  test('an unchanged database is healthy at any age while somebody looks, and not copied again', async () => {
    const { path } = makeDatabase()
    const disk = memory()
    const { engine, world } = await open({ databases: { app: path }, storages: { disk } })
    await engine.start()
    await world.runUntil(world.now() + 9 * DAY, 1)
    expect(await count(disk)).toBe(1)
    const status = await engine.status()
    expect(status).toMatchObject({ healthy: true, databases: [{ storages: [{ beat: { state: 'unchanged' } }] }] })

    // Then nobody looks any more.
    await engine.stop()
    world.set(world.now() + 2 * DAY)
    const later = await engine.status()
    expect(later.healthy).toBe(false)
    expect(later.databases[0]?.storages[0]?.problems).toEqual([
      'Nothing was heard for 2 days, and it may be 26 hours at most.',
    ])
    expect(await engine.status({ maxAgeMs: 3 * DAY })).toMatchObject({ healthy: true })
  })

  test('an unchanged look is recorded at most once an hour', async () => {
    const { path } = makeDatabase()
    const disk = memory()
    let puts = 0
    const counting: Storage = {
      ...disk,
      put: (key, ...rest) => {
        if (key.includes('/heartbeat/')) puts += 1
        return disk.put(key, ...rest)
      },
    }
    const { engine, world } = await open({
      databases: { app: path },
      storages: { disk: counting },
      jobs: { often: { schedule: every('5m') } },
    })
    await engine.start()
    const start = world.now()
    await world.runUntil(start + 60_000, 1)
    puts = 0
    await world.runUntil(start + 4 * HOUR, 1)
    expect(puts).toBe(4)
  })

  test('of two engines on one spool, one that stops does not put the other to sleep', async () => {
    for (const isOldFirst of [true, false]) {
      const { path, write } = makeDatabase()
      const disk = memory()
      const world = worldFromNow()
      let isFull = false
      const failing: Storage = {
        ...disk,
        put: (key, ...rest) => {
          if (isFull && !key.includes('/heartbeat/')) throw new BackupError('STORAGE_DENIED', 'No.')
          return disk.put(key, ...rest)
        },
      }
      const older = await open({ databases: { app: path }, storages: { disk: failing } }, world)
      await older.engine.start()
      await world.runUntil(world.now() + 60_000, 1)
      const young = await open({ databases: { app: path }, storages: { disk: failing } }, world)
      await young.engine.start()
      await world.runUntil(world.now() + 60_000, 2)
      const [first, survivor] = isOldFirst ? [older, young] : [young, older]
      await first.engine.close({ backup: 'if-changed' })
      write()
      isFull = true
      // The older one was taken for replaced until it is heard of: when its next run fails.
      await world.runUntil(world.now() + HOUR + 120_000, 1)
      world.set(world.now() + 2 * DAY)
      expect((await survivor.engine.status()).healthy).toBe(false)
      await survivor.engine.close()
    }
  })

  test('after a clean stop it is healthy at any age, until somebody starts again and is not heard of', async () => {
    const { path, write } = makeDatabase()
    const disk = memory()
    const config = { databases: { app: path }, storages: { disk } }
    const world = worldFromNow()
    const first = await open(config, world)
    await first.engine.start()
    await world.runUntil(world.now() + HOUR, 1)
    write()
    await first.engine.close({ backup: 'if-changed' })
    expect(await count(disk)).toBe(2)
    expect(await readBeats(disk, 'app')).toMatchObject([{ state: 'asleep' }])

    world.set(world.now() + 300 * DAY)
    const watcher = await open(config, world)
    expect(await watcher.engine.status()).toMatchObject({ healthy: true })

    const second = await open({ ...config, jobs: false }, world)
    await second.engine.start()
    await second.engine.close()
    expect(await readBeats(disk, 'app')).toContainEqual(expect.objectContaining({ state: 'awake' }))
    expect(await watcher.engine.status()).toMatchObject({ healthy: false })
  })

  test('two engines of one database make one backup per slot', async () => {
    const { path, write } = makeDatabase()
    const disk = memory()
    const config: Config = {
      databases: { app: path },
      storages: { disk },
      jobs: { always: { schedule: every('1h'), ifChanged: false } },
    }
    const world = worldFromNow()
    const start = world.now()
    for (let i = 0; i < 3; i++) await (await open(config, world)).engine.start()
    for (let hour = 0; hour < 4; hour++) {
      write()
      await world.runUntil(start + hour * HOUR, 3)
    }
    expect(await count(disk)).toBe(4)
  })

  test('several jobs go where and when they are told', async () => {
    const { path, write } = makeDatabase()
    const [near, far] = [memory(), memory()]
    const { engine, world } = await open({
      databases: { app: path },
      storages: { near, far },
      jobs: {
        often: { schedule: every('1h'), to: 'near' },
        rarely: { schedule: every('1d'), to: 'far', ifChanged: false },
      },
    })
    const start = world.now()
    await engine.start()
    for (let hour = 0; hour < 5; hour++) {
      await world.runUntil(start + hour * HOUR, 2)
      write()
    }
    expect([await count(near), await count(far)]).toEqual([5, 1])
    const { next } = (await engine.status()).databases[0] ?? {}
    expect(next?.job).toBe('often')
    expect(Date.parse(next?.at ?? '') - world.now()).toBeLessThanOrEqual(HOUR)
  })

  test('a new job is not done because another storage got a backup since its time', async () => {
    const { path } = makeDatabase()
    const [disk, offsite] = [memory(), memory()]
    const config = { databases: { app: path }, storages: { disk, offsite } }
    const before = await open(config)
    await before.engine.backup('app', { to: ['disk'] })
    const schedule = every('3650d')
    const { engine, world, names } = await open({
      ...config,
      jobs: { here: { schedule, to: 'disk' }, there: { schedule, to: 'offsite' } },
    })
    await engine.start()
    await world.runUntil(world.now() + 60_000, 2)
    expect(names()).toEqual(['backup.started', 'backup.succeeded'])
    expect([await count(disk), await count(offsite)]).toEqual([1, 1])
  })

  test('only the jobs that were asked for are started', async () => {
    const { path } = makeDatabase()
    const disk = memory()
    const { engine, world, names } = await open({
      databases: { app: path },
      storages: { disk },
      jobs: { a: { schedule: every('1h') }, b: { schedule: every('1h'), ifChanged: false } },
    })
    await engine.start({ jobs: ['a'] })
    await world.runUntil(world.now() + HOUR, 1)
    expect(names().filter((name) => name === 'backup.started')).toHaveLength(2)
    expect(await count(disk)).toBe(1)
  })

  test('the newest backup is checked once a day, and pruning runs once a day when retention is stated', async () => {
    const { path, write } = makeDatabase()
    const disk = memory()
    const { engine, world, names } = await open({
      databases: { app: path },
      storages: { disk },
      jobs: { often: { schedule: every('6h') } },
      retention: { keepLast: 1, hourly: 0, recent: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 },
      verify: { schedule: every('1d') },
    })
    const start = world.now()
    await engine.start()
    for (let i = 0; i < 12; i++) {
      await world.runUntil(start + i * 6 * HOUR, 3)
      write()
    }
    const seen = names()
    expect(seen.filter((name) => name === 'verify.succeeded').length).toBeGreaterThanOrEqual(2)
    expect(seen).toContain('prune.planned')
  })

  test('the log says that a backup failed, also when nobody listens', async () => {
    const { path } = makeDatabase()
    const disk = faulty(memory(), [{ on: 'put', times: 99, code: 'STORAGE_DENIED' }])
    const { engine, world, lines } = await open({ databases: { app: path }, storages: { disk } })
    await engine.start()
    await world.runUntil(world.now() + 60_000, 1)
    expect(lines).toContainEqual(
      expect.stringMatching(/^The backup of app failed \(job hourly\): .*did not reach disk/),
    )
  })

  test('without a place for the spool the log says so, and they start when there is one', async () => {
    const { path } = makeDatabase()
    const disk = memory()
    const { engine, world, lines } = await open({ databases: { app: path }, storages: { disk } })
    const inTheWay = join(path, '..', '.sqlite-backup')
    writeFileSync(inTheWay, '')
    const start = world.now()
    await engine.start()
    await world.runUntil(start + 60_000, 1)
    expect(lines).toContainEqual(expect.stringMatching(/^The schedules of app cannot start: The spool folder/))
    rmSync(inTheWay)
    await world.runUntil(start + 10 * 60_000, 1)
    expect(await count(disk)).toBe(1)
  })

  test('a failed restore starts no schedule', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'schedules-'))
    closing.push(() => rmSync(dir, { recursive: true }))
    const { engine } = await open({
      databases: { app: join(dir, 'missing.db') },
      storages: { disk: memory() },
      onMissingBackup: 'fail',
    })
    await expect(engine.restoreIfMissing()).rejects.toThrow()
    await expect(engine.start()).rejects.toMatchObject({ code: 'USAGE' })
  })

  test('are off with SQLITE_BACKUP=off', async () => {
    const { path } = makeDatabase()
    const disk = memory()
    const resolved = await resolveConfig({
      config: { databases: { app: path }, storages: { disk } },
      environment: { SQLITE_BACKUP: 'off' },
    })
    const engine = createEngine(resolved, { timer: worldFromNow() })
    await engine.start()
    await engine.close({ backup: 'if-changed' })
    expect((await disk.list()).objects).toEqual([])
  })
})

describe('who is told', () => {
  let listener: Listener | undefined
  afterEach(() => listener?.close())

  test('without a heartbeat, log and status say that nobody is', async () => {
    const { path } = makeDatabase()
    const { engine, lines } = await open({ databases: { app: path }, storages: { disk: memory() } })
    await engine.start()
    const silence = 'Nobody will be told if backups stop. Set HEARTBEAT_URL.'
    expect(lines.filter((line) => line === silence)).toHaveLength(1)
    expect((await engine.status()).warnings).toContain(silence)
  })

  test('a schedule without retention warns, unless that is meant', async () => {
    const { path } = makeDatabase()
    const config = { databases: { app: path }, storages: { disk: memory() } }
    const [open1, open2] = [await open(config), await open({ ...config, retention: false })]
    expect((await open1.engine.status()).warnings.join()).toContain('State `retention`')
    expect((await open2.engine.status()).warnings.join()).not.toContain('retention')
  })

  test('a heartbeat hears of scheduled and of other backups, and nothing else knows its URL', async () => {
    const { path, write } = makeDatabase()
    listener = await listen('/0bc3-secret')
    const { engine, world, lines } = await open({
      databases: { app: path },
      storages: { disk: memory() },
      notify: { heartbeat: listener.url },
    })
    await engine.start()
    await world.runUntil(world.now() + HOUR, 1)
    write()
    await engine.backup('app')
    const status = await engine.status()
    expect(status.warnings.join()).not.toContain('HEARTBEAT_URL')
    await engine.close()
    expect(listener.heard.map(({ path: at }) => at.replace('/0bc3-secret', ''))).toEqual([
      '/start',
      '',
      '/start',
      '',
      '/start',
      '',
    ])
    expect(JSON.stringify([status, lines])).not.toContain('0bc3')
  })
})

test('schedules do not keep the process alive', async () => {
  const { path } = makeDatabase()
  const { spawnSync } = await import('node:child_process')
  const code = `
    const { openBackup } = await import(${JSON.stringify(join(import.meta.dirname, '../engine.ts'))})
    const { memory } = await import(${JSON.stringify(join(import.meta.dirname, '../storage/memory.ts'))})
    const engine = await openBackup({ databases: { app: ${JSON.stringify(path)} }, storages: { disk: memory() } })
    await engine.backup()
    await engine.start()
    console.log('started')`
  const { status, stdout, stderr, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', code], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, NODE_OPTIONS: '' },
  })
  expect({ status, stdout, stderr, signal }).toEqual({ status: 0, stdout: 'started\n', stderr: '', signal: null })
})
