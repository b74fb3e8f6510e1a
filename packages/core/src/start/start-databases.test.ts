import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { listBackups } from '../catalog/list-backups.ts'
import type { Config } from '../config/config.ts'
import { resolveConfig } from '../config/resolve-config.ts'
import { createEngine } from '../engine.ts'
import type { RestoreIfMissingOptions } from '../engine-api.ts'
import type { EventName, Logger } from '../events.ts'
import { faulty } from '../storage/faulty.ts'
import { memory } from '../storage/memory.ts'
import { listAll, type Storage } from '../storage/storage.ts'

let root: string
let storage: Storage
let count = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'start-'))
})
beforeEach(() => {
  storage = memory()
})
afterAll(() => rmSync(root, { recursive: true }))

/** A machine with a disk of its own, on which an app runs for a while. */
function machine(label: string) {
  const dir = join(root, `${label}-${count++}`)
  const path = join(dir, 'app.db')
  mkdirSync(dir)
  return {
    path,
    loseDisk: () => {
      rmSync(dir, { recursive: true })
      mkdirSync(dir)
    },
    rows: () => {
      const db = new BetterSqlite(path, { readonly: true })
      const rows = db.prepare('SELECT label FROM t ORDER BY rowid').pluck().all()
      db.close()
      return rows
    },
    write: (text: string) => {
      const db = new BetterSqlite(path)
      db.pragma('journal_mode = WAL')
      db.exec('CREATE TABLE IF NOT EXISTS t (label TEXT)')
      db.prepare('INSERT INTO t VALUES (?)').run(text)
      db.close()
    },
    /** One life of the engine: it starts, `work` runs, it stops. */
    async live(
      work: () => void,
      options: RestoreIfMissingOptions & { config?: Config; environment?: Record<string, string> } = {},
    ) {
      const { config = {}, environment = {}, ...start } = options
      const said: string[] = []
      const say = (_fields: object, message: string): void => void said.push(message)
      const log: Logger = { debug: say, info: say, warn: say, error: say }
      const resolved = await resolveConfig({
        config: { databases: { app: path }, storages: { store: storage }, ...config, log },
        environment,
      })
      const engine = createEngine(resolved)
      const events: EventName[] = []
      engine.onAny((name) => events.push(name))
      try {
        const [result] = await engine.restoreIfMissing(start)
        work()
        return { result, said: said.join('\n'), events }
      } finally {
        await engine.close({ backup: 'if-changed' })
      }
    },
  }
}

const nothing = (): void => {}

describe('a database that is there', () => {
  test('is left alone by default, though a storage holds something newer', async () => {
    const [old, young] = [machine('old'), machine('young')]
    await old.live(() => old.write('one'))
    await young.live(() => young.write('two'))
    expect(young.rows()).toEqual(['one', 'two'])
    const { result } = await old.live(nothing)
    expect(result?.outcome).toBe('present')
    expect(old.rows()).toEqual(['one'])
  })

  test('with restore: if-behind it catches up when others went on from where it stands', async () => {
    const [old, young] = [machine('old'), machine('young')]
    await old.live(() => old.write('one'))
    await young.live(() => young.write('two'))
    const { result } = await old.live(nothing, { restore: 'if-behind' })
    expect(result?.outcome).toBe('restored')
    expect(old.rows()).toEqual(['one', 'two'])
    await old.live(() => old.write('three'))
    const { result: again } = await old.live(nothing, { restore: 'if-behind' })
    expect(again?.outcome).toBe('present')
  })

  test('with restore: if-behind it does not give up what only it has, and says that there is a fork', async () => {
    const [old, young] = [machine('old'), machine('young')]
    await old.live(() => old.write('one'))
    await young.live(() => young.write('two'))
    old.write('mine alone')
    const { result, said } = await old.live(nothing, { restore: 'if-behind' })
    expect(result?.outcome).toBe('present')
    expect(said).toContain('app has forked')
    expect(old.rows()).toEqual(['one', 'mine alone'])
  })

  test('with restore: if-behind and a storage that is down, the app starts with what it has', async () => {
    const here = machine('here')
    await here.live(() => here.write('one'))
    storage = faulty(storage, [{ on: 'list', times: 99, code: 'STORAGE_DENIED' }])
    const { result, said } = await here.live(nothing, { restore: 'if-behind' })
    expect(result?.outcome).toBe('present')
    expect(said).toContain('could not be acted on')
  })
})

test('a fork is told when one of its tips is restored, and nothing of the other is gone', async () => {
  const [first, a, b, fresh] = [machine('first'), machine('a'), machine('b'), machine('fresh')]
  await first.live(() => first.write('common'))
  // Two containers of a rolling deploy: the new one restores while the old one still writes, and the old one closes last.
  await a.live(() => {})
  await b.live(() => b.write('by b'))
  a.write('by a')
  const { events } = await a.live(nothing)
  expect(events).toContain('lineage.forked')
  const { result, said } = await fresh.live(nothing)
  expect(fresh.rows()).toEqual(['common', 'by a'])
  expect(said).toContain('The history of app has forked')
  const [, id] = /sqlite-backup restore (\S+) -o other\.db/.exec(said) ?? []
  expect(result?.warnings.join()).toContain(id)
  const other = machine('other')
  await other.live(nothing, { environment: { SQLITE_BACKUP_RESTORE: id ?? '' } })
  expect(other.rows()).toEqual(['common', 'by b'])
})

describe('a database that was just restored', () => {
  async function restored() {
    const [first, fresh] = [machine('first'), machine('fresh')]
    await first.live(() => first.write('one'))
    return { first, fresh }
  }
  const made = async (): Promise<number> => {
    let count = 0
    for await (const _each of listBackups(storage, { database: 'app' })) count++
    return count
  }

  test('and only read is as its backup: a stop makes none, and there is no fork when the old container goes on', async () => {
    const { first, fresh } = await restored()
    const { result } = await fresh.live(() => expect(fresh.rows()).toEqual(['one']))
    expect(result?.outcome).toBe('restored')
    expect(await made()).toBe(1)
    const { events } = await first.live(() => first.write('two'))
    expect(events).not.toContain('lineage.forked')
    expect(await made()).toBe(2)
  })

  test('and written to is backed up, however little that was', async () => {
    const { fresh } = await restored()
    await fresh.live(() => {
      const db = new BetterSqlite(fresh.path)
      db.exec('DELETE FROM t')
      db.close()
    })
    expect(await made()).toBe(2)
  })
})

describe('SQLITE_BACKUP_RESTORE', () => {
  async function threeStates() {
    const here = machine('here')
    const ids: string[] = []
    for (const label of ['one', 'two', 'three']) {
      await here.live(() => here.write(label))
    }
    for await (const { id } of listBackups(storage, { database: 'app' })) {
      ids.unshift(id)
    }
    return { here, ids }
  }

  test('restores that one, once: the next start goes on from there', async () => {
    const { here, ids } = await threeStates()
    const environment = { SQLITE_BACKUP_RESTORE: ids[1] ?? '' }
    const { result, said } = await here.live(nothing, { environment })
    expect(result?.outcome).toBe('restored')
    expect(said).toContain(`restored ${ids[1]}. It is done once.`)
    expect(here.rows()).toEqual(['one', 'two'])
    await here.live(() => here.write('four'), { environment })
    expect(here.rows()).toEqual(['one', 'two', 'four'])
  })

  test('a container whose disk forgets does not go back again', async () => {
    const { here, ids } = await threeStates()
    const environment = { SQLITE_BACKUP_RESTORE: ids[0] ?? '' }
    here.loseDisk()
    await here.live(() => here.write('four'), { environment })
    expect(here.rows()).toEqual(['one', 'four'])
    here.loseDisk()
    await here.live(nothing, { environment })
    expect(here.rows()).toEqual(['one', 'four'])
  })

  test('what cannot be found keeps the app from starting with something else', async () => {
    const { here } = await threeStates()
    const environment = { SQLITE_BACKUP_RESTORE: 'no-such-name' }
    await expect(here.live(nothing, { environment })).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
  })
})

describe('SQLITE_BACKUP_RESTORE with several databases', () => {
  async function two() {
    const here = machine('here')
    const jobs = join(here.path, '../jobs.db')
    const config: Config = { databases: { app: here.path, jobs } }
    await here.live(
      () => {
        here.write('one')
        new BetterSqlite(jobs).exec('CREATE TABLE t (label TEXT)').close()
      },
      { config },
    )
    const [first] = await idsOf('app')
    await here.live(() => here.write('two'), { config })
    return { here, config, first: first ?? '' }
  }
  async function idsOf(database: string): Promise<readonly string[]> {
    const ids: string[] = []
    for await (const { id } of listBackups(storage, { database })) ids.unshift(id)
    return ids
  }

  test('restores the one that the backup is of, and every later start goes on', async () => {
    const { here, config, first } = await two()
    const environment = { SQLITE_BACKUP_RESTORE: first }
    const { result, said } = await here.live(() => here.write('three'), { config, environment })
    expect(result?.outcome).toBe('restored')
    expect(said).toContain('is of another database: jobs stays.')
    expect(here.rows()).toEqual(['one', 'three'])
    // Both know on their own disk that it is done: a storage that is down does not keep them from starting.
    storage = faulty(storage, [{ on: 'head', times: 99, code: 'STORAGE_DENIED' }])
    const { result: again } = await here.live(nothing, { config, environment })
    expect(again?.outcome).toBe('present')
    expect(here.rows()).toEqual(['one', 'three'])
  })

  test('also on a disk that forgets', async () => {
    const { here, config, first } = await two()
    const environment = { SQLITE_BACKUP_RESTORE: first }
    here.loseDisk()
    await here.live(() => here.write('three'), { config, environment })
    here.loseDisk()
    await here.live(nothing, { config, environment })
    expect(here.rows()).toEqual(['one', 'three'])
  })

  test('refuses what none of them has, and a time at which one was not there, before any is touched', async () => {
    const { here, config } = await two()
    const refused = { code: 'BACKUP_NOT_FOUND' }
    for (const reference of ['no-such-name', '2001-01-01T00:00:00Z']) {
      const environment = { SQLITE_BACKUP_RESTORE: reference }
      await expect(here.live(nothing, { config, environment })).rejects.toMatchObject(refused)
    }
    await storage.delete(await keysOf('jobs/'))
    await expect(
      here.live(nothing, { config, environment: { SQLITE_BACKUP_RESTORE: 'latest' } }),
    ).rejects.toMatchObject(refused)
    expect(here.rows()).toEqual(['one', 'two'])
  })

  async function keysOf(prefix: string): Promise<readonly string[]> {
    const keys: string[] = []
    for await (const { key } of listAll(storage, { prefix })) keys.push(key)
    return keys
  }
})

test('restore: false looks at nothing, and SQLITE_BACKUP=off touches nothing', async () => {
  const here = machine('here')
  const skipped = await here.live(nothing, { restore: false })
  expect(skipped.result?.outcome).toBe('skipped')
  const off = machine('off')
  const { result, said } = await off.live(() => off.write('one'), { environment: { SQLITE_BACKUP: 'off' } })
  expect(result?.outcome).toBe('off')
  expect(said).toContain('SQLITE_BACKUP=off')
  expect(readdirSync(join(off.path, '..'))).toEqual(['app.db'])
})

test('a value that is misspelt is refused, and not taken for the default', async () => {
  const here = machine('here')
  // @ts-expect-error: that is the point
  await expect(here.live(nothing, { onMissingBackup: 'faill' })).rejects.toMatchObject({
    code: 'USAGE',
    message: 'onMissingBackup is one of "start-empty", "fail", and not "faill".',
  })
  // @ts-expect-error: likewise
  await expect(here.live(nothing, { restore: true })).rejects.toThrow(
    'restore is one of "if-missing", "if-behind", false',
  )
})

test('onMissingBackup of the config refuses an empty start', async () => {
  const here = machine('here')
  await expect(here.live(nothing, { config: { onMissingBackup: 'fail' } })).rejects.toMatchObject({
    code: 'BACKUP_NOT_FOUND',
  })
})

test('no storage is said at every start, and so is a last backup that took longer than a stop may take', async () => {
  const here = machine('here')
  await here.live(() => here.write('one'))
  const { said } = await here.live(nothing, { config: { storages: {}, stop: { deadline: '1ms' } } })
  expect(said).toContain('No storage is configured: app is not backed up.')
  expect(said).toMatch(/The newest backup of app took \d+\.\d s, but a stop may take 0\.0 s/)
})

test('what a stop had no time to store goes up after the next start', async () => {
  const here = machine('here')
  const down = faulty(storage, [{ on: 'put', times: 99, code: 'STORAGE_FAILED' }])
  here.write('one')
  await here.live(nothing, { config: { storages: { store: down } } })
  const engine = createEngine(
    await resolveConfig({ config: { databases: { app: here.path }, storages: { store: storage } }, environment: {} }),
  )
  await engine.start()
  // The app never waits for it; closing does.
  await engine.close()
  const { items } = await createEngine(
    await resolveConfig({ config: { databases: { app: here.path }, storages: { store: storage } }, environment: {} }),
  ).list()
  expect(items).toMatchObject([{ tier: 'shutdown' }])
})
