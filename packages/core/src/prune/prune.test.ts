import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { listBackups } from '../catalog/list-backups.ts'
import type { Manifest } from '../catalog/manifest.ts'
import { readManifest } from '../catalog/read-manifest.ts'
import { putVerifyRecord } from '../catalog/records.ts'
import { type ExampleFacts, putExample } from '../catalog/testing/example-manifest.ts'
import type { Config } from '../config/config.ts'
import { resolveConfig } from '../config/resolve-config.ts'
import { createEngine } from '../engine.ts'
import type { SqliteBackup } from '../engine-api.ts'
import type { BackupEvents, EventName } from '../events.ts'
import { faulty } from '../storage/faulty.ts'
import { filesystem } from '../storage/filesystem.ts'
import { memory } from '../storage/memory.ts'
import { bytesBody, listAll, type Storage } from '../storage/storage.ts'
import { pruneStateKey } from './prune-state.ts'

const dir = mkdtempSync(join(tmpdir(), 'prune-'))
const opened: SqliteBackup[] = []
afterEach(async () => {
  for (const engine of opened.splice(0)) await engine.close()
})
afterAll(() => rmSync(dir, { recursive: true }))

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** A clock that tests set; the storages of a test have the same, as if all were in one world. */
const clock = { ms: 0 }
const now = (): Date => new Date(clock.ms)
function at(time: string): void {
  clock.ms = Date.parse(time)
}

let count = 0

async function openWith(
  storages: Readonly<Record<string, Storage>>,
  config: Omit<Config, 'databases' | 'storages'> = { retention: { keepLast: 2, hourly: 0 } },
) {
  count += 1
  const resolved = await resolveConfig({
    config: { databases: { app: join(dir, `${count}`, 'app.db') }, storages, ...config },
    environment: {},
  })
  const timer = { now: () => clock.ms, sleepUntil: () => Promise.reject(new Error('Nothing waits here.')) }
  const engine = createEngine(resolved, { timer })
  opened.push(engine)
  const events: { readonly name: EventName; readonly event: BackupEvents[EventName] }[] = []
  engine.onAny((name, event) => events.push({ name, event }))
  return { engine, events: () => events.splice(0) }
}

/** `amount` hourly backups, each of which grew from the one before; the newest an hour ago. */
async function fill(storage: Storage, amount: number, facts: ExampleFacts = {}): Promise<readonly Manifest[]> {
  const made: Manifest[] = []
  for (let i = amount; i >= 1; i--) {
    const parent = made.at(-1)?.id
    const created = new Date(clock.ms - i * HOUR)
    made.push(await putExample(storage, { created, ...(parent === undefined ? {} : { parent }), ...facts }))
  }
  return made
}

async function idsIn(storage: Storage): Promise<readonly string[]> {
  const ids: string[] = []
  for await (const { id } of listBackups(storage, { database: 'app' })) ids.push(id)
  return ids.sort()
}

async function keysIn(storage: Storage): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of listAll(storage)) keys.push(key)
  return keys
}

/** Every backup that is listed has its body, of the right size. */
async function expectAllWhole(storage: Storage): Promise<void> {
  for await (const entry of listBackups(storage, { database: 'app' })) {
    const manifest = await readManifest(storage, entry)
    expect((await storage.head(manifest.body)).sizeBytes).toBe(manifest.stored.sizeBytes)
  }
}

const idsOf = (manifests: readonly Manifest[]): readonly string[] => manifests.map(({ id }) => id).sort()

describe('prune', () => {
  test('deletes nothing until retention is stated', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    const made = await fill(disk, 5)
    const { engine } = await openWith({ disk }, {})
    expect(await engine.prune('app', { now: true })).toMatchObject({ storages: [{ storage: 'disk', outcome: 'off' }] })
    expect(await idsIn(disk)).toEqual(idsOf(made))
  })

  test('says what it would delete, and a dry run changes nothing at all', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    const made = await fill(disk, 5)
    const before = await keysIn(disk)
    const { engine } = await openWith({ disk })
    const [result] = (await engine.prune('app', { dryRun: true })).storages
    expect(result).toMatchObject({
      outcome: 'planned',
      remove: [made[2], made[1], made[0]].map((manifest) => ({
        id: manifest?.id,
        tier: 'hourly',
        reasons: ['tier-keeps-none'],
      })),
      kept: { count: 2, sizeBytes: 8 },
      keptBy: { newest: 1, 'keep-last': 2 },
      deleted: { count: 0 },
    })
    expect(await keysIn(disk)).toEqual(before)
  })

  test('announces its first deletion a day ahead, then deletes', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    const made = await fill(disk, 5)
    const { engine, events } = await openWith({ disk })
    const deletesFrom = '2026-11-21T12:00:00.000Z'
    expect((await engine.prune()).storages).toMatchObject([{ outcome: 'announced', deletesFrom, remove: [{}, {}, {}] }])
    expect(events()).toMatchObject([{ name: 'prune.planned', event: { remove: 3, keep: 2, deletesFrom } }])
    at('2026-11-21T11:59:00.000Z')
    expect((await engine.prune()).storages).toMatchObject([{ outcome: 'announced', deletesFrom }])
    expect(await idsIn(disk)).toEqual(idsOf(made))
    events()

    at('2026-11-21T12:00:00.000Z')
    expect((await engine.prune()).storages).toMatchObject([
      { outcome: 'deleted', deleted: { count: 3, sizeBytes: 12 } },
    ])
    expect(await idsIn(disk)).toEqual(idsOf(made.slice(3)))
    expect(events().map(({ name }) => name)).toEqual(['prune.planned', 'prune.succeeded'])
    await expectAllWhole(disk)
    expect((await keysIn(disk)).filter((key) => key.includes('/backups/'))).toHaveLength(2)

    // From then on it deletes when something is due.
    await fill(disk, 1)
    expect((await engine.prune()).storages).toMatchObject([{ outcome: 'deleted', deleted: { count: 1 } }])
    expect((await engine.prune()).storages).toMatchObject([{ outcome: 'nothing', remove: [] }])
  })

  test('announces another policy anew', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    await fill(disk, 9)
    const first = await openWith({ disk }, { retention: { keepLast: 7, hourly: 0 } })
    expect((await first.engine.prune('app', { now: true })).storages).toMatchObject([{ outcome: 'deleted' }])
    const second = await openWith({ disk }, { retention: { keepLast: 3, hourly: 0 } })
    expect((await second.engine.prune()).storages).toMatchObject([{ outcome: 'announced', remove: [{}, {}, {}, {}] }])
    expect(await idsIn(disk)).toHaveLength(7)
  })

  test('two engines with different policies delete nothing, and the log says why', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    const made = await fill(disk, 5)
    const said: string[] = []
    const log = { debug() {}, info() {}, error() {}, warn: (_: object, message: string) => void said.push(message) }
    const strict = await openWith({ disk }, { retention: { keepLast: 1, hourly: 0 }, log })
    const lax = await openWith({ disk }, { retention: { keepLast: 2, hourly: 0 }, log })
    for (let day = 0; day < 4; day++) {
      clock.ms += 25 * HOUR
      for (const { engine } of [strict, lax]) {
        expect((await engine.prune()).storages).toMatchObject([{ outcome: 'announced' }])
      }
    }
    expect(await idsIn(disk)).toEqual(idsOf(made))
    expect(said.filter((each) => each.startsWith('Two engines'))).toHaveLength(6)

    // One of them is gone: the other deletes after its day of notice.
    expect((await strict.engine.prune()).storages).toMatchObject([{ outcome: 'announced' }])
    clock.ms += 25 * HOUR
    expect((await strict.engine.prune()).storages).toMatchObject([{ outcome: 'deleted', deleted: { count: 4 } }])
  })

  test('an announcement that cannot be read, or lies in the future, is made anew', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    await fill(disk, 5)
    const { engine } = await openWith({ disk })
    for (const text of [
      '{',
      '[]',
      '{}',
      '{"announcedAt":"2036-01-01T00:00:00.000Z","deletesFrom":"2020-01-01T00:00:00.000Z"}',
    ]) {
      await disk.put(pruneStateKey('app'), bytesBody(Buffer.from(text)))
      expect((await engine.prune()).storages).toMatchObject([
        { outcome: 'announced', deletesFrom: '2026-11-21T12:00:00.000Z' },
      ])
    }
  })

  test('keeps what is kept, and lets go of it again', async () => {
    at('2026-11-20T12:00:00.000Z')
    const [disk, second] = [memory({ now }), memory({ now })]
    const made = await fill(disk, 6)
    for (const storage of [second])
      for (const { created, tier } of made.slice(0, 1)) await putExample(storage, { created, tier })
    const { engine } = await openWith({ disk, second })
    const id = made[1]?.id ?? ''
    expect(await engine.keep(id, { reason: 'audit 2026', actor: 'ann' })).toEqual({
      id,
      storages: [{ storage: 'disk', ok: true }],
    })
    expect(await engine.prune('app', { now: true, from: 'disk' })).toMatchObject({
      storages: [{ outcome: 'deleted', deleted: { count: 3 }, keptBy: { kept: 1 } }],
    })
    expect(await idsIn(disk)).toEqual(idsOf([...made.slice(4), ...made.slice(1, 2)]))
    await engine.unkeep(id)
    expect(await engine.prune('app', { now: true, from: 'disk' })).toMatchObject({
      storages: [{ deleted: { count: 1 } }],
    })
    await expect(engine.keep(id)).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
    await expect(engine.keep('no-such-name')).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
  })

  test('keeps the newest checked backup, and does not take a bad one for it', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    const made = await fill(disk, 6)
    const record = { level: 'checked', durationMs: 1 } as const
    const mark = async (index: number, outcome: 'ok' | 'failed', hours: number) => {
      const { id = '', created = '' } = made[index] ?? {}
      const at = new Date(clock.ms - hours * HOUR).toISOString()
      await putVerifyRecord(disk, { database: 'app', id, created: new Date(created) }, { ...record, outcome, at })
    }
    await mark(1, 'ok', 3)
    await mark(2, 'ok', 3)
    await mark(2, 'failed', 1)
    const { engine } = await openWith({ disk })
    await engine.prune('app', { now: true })
    expect(await idsIn(disk)).toEqual(idsOf([...made.slice(4), ...made.slice(1, 2)]))
    expect((await keysIn(disk)).filter((key) => key.includes('/records/'))).toHaveLength(1)
  })

  test('a backup whose body is gone is not the newest good one', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    const made = await fill(disk, 5)
    await disk.delete(made.slice(3).map(({ body }) => body))
    const { engine } = await openWith({ disk }, { retention: { keepLast: 0, hourly: 0 } })
    await engine.prune('app', { now: true })
    expect(await idsIn(disk)).toEqual(idsOf([made[4], made[2]].flatMap((each) => each ?? [])))
  })

  test('a backup whose manifest is damaged is not the newest good one', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    const made = await fill(disk, 4)
    const last = made.at(-1)
    const manifestKey = (await keysIn(disk)).find(
      (key) => key.includes('/catalog/') && key.includes(`${last?.id.slice(-8)}`),
    )
    await disk.put(manifestKey ?? '', bytesBody(Buffer.from('{"format": 1, "id"')))
    const { engine } = await openWith({ disk }, { retention: { keepLast: 0, hourly: 0 } })
    await engine.prune('app', { now: true })
    expect(await idsIn(disk)).toEqual(idsOf(made.slice(2)))
  })

  test('both tips of a fork stay, however many backups are made since', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    const ours = await fill(disk, 4, { writer: 'ours' })
    at('2026-11-20T12:30:00.000Z')
    const parent = ours[0]?.id ?? ''
    const theirs = await putExample(disk, { created: now(), writer: 'theirs', parent })
    const { engine } = await openWith({ disk }, { retention: { keepLast: 1, hourly: 0 } })
    await engine.prune('app', { now: true })
    const tips = [ours[3]?.id ?? '', theirs.id].sort()
    expect(await idsIn(disk)).toEqual(tips)

    // The second branch goes on for long, so that nothing near the newest tells of the fork any more.
    let last = theirs
    for (let i = 1; i <= 200; i++) {
      last = await putExample(disk, { created: new Date(clock.ms + i * HOUR), writer: 'theirs', parent: last.id })
    }
    clock.ms += 201 * HOUR
    expect((await engine.prune('app', { now: true })).storages).toMatchObject([{ keptBy: { fork: 1 } }])
    expect(await idsIn(disk)).toEqual([ours[3]?.id ?? '', last.id].sort())

    // Until somebody says that nobody wants that branch any more.
    await engine.unkeep(ours[3]?.id ?? '')
    await engine.prune('app', { now: true })
    expect(await idsIn(disk)).toEqual([last.id])
  })

  test('one storage that fails does not stop the others, and is told', async () => {
    at('2026-11-20T12:00:00.000Z')
    const [down, up] = [memory({ now }), memory({ now })]
    for (const storage of [down, up]) await fill(storage, 4)
    const { engine, events } = await openWith({
      down: faulty(down, [{ on: 'delete', times: 99, code: 'STORAGE_DENIED' }]),
      up,
    })
    const { storages } = await engine.prune('app', { now: true })
    expect(storages).toMatchObject([
      { storage: 'down', outcome: 'failed', error: { code: 'STORAGE_DENIED' }, deleted: { count: 0 } },
      { storage: 'up', outcome: 'deleted', deleted: { count: 2 } },
    ])
    expect(events().map(({ name }) => name)).toEqual([
      'prune.planned',
      'prune.failed',
      'prune.planned',
      'prune.succeeded',
    ])
    await expectAllWhole(down)
  })

  test('refuses with a clock that runs ahead of the storage’s', async () => {
    at('2026-11-20T12:00:00.000Z')
    const real = { ms: clock.ms }
    const bucket = memory({ now: () => new Date(real.ms) })
    const made = await fill(bucket, 30)
    at('2036-11-20T12:00:00.000Z')
    const { engine } = await openWith({ bucket }, { retention: {} })
    expect((await engine.prune('app', { now: true })).storages).toMatchObject([
      { outcome: 'failed', error: { code: 'CLOCK_WRONG' }, deleted: { count: 0 } },
    ])
    expect(await idsIn(bucket)).toEqual(idsOf(made))
  })

  test('does not touch the backups of another environment', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    const made = await fill(disk, 5, { environment: 'production' })
    const { engine } = await openWith({ disk }, { retention: { hourly: 0 }, environment: 'staging' })
    expect((await engine.prune('app', { now: true })).storages).toMatchObject([
      { error: { code: 'ENVIRONMENT_MISMATCH' } },
    ])
    expect(await idsIn(disk)).toEqual(idsOf(made))
  })

  test('an abort stops between batches, and what is left is whole', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    await fill(disk, 350)
    const stop = new AbortController()
    let deletes = 0
    const stopping: Storage = {
      ...disk,
      delete: async (keys, options) => {
        deletes += 1
        if (deletes === 3) stop.abort()
        await disk.delete(keys, { ...options, signal: undefined })
      },
    }
    const { engine, events } = await openWith({ disk: stopping })
    await expect(engine.prune('app', { now: true, signal: stop.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    expect(await idsIn(disk)).toHaveLength(150)
    await expectAllWhole(disk)
    expect(events().at(-1)).toMatchObject({ name: 'prune.failed', event: { deleted: 200 } })
  })

  test('reads no object for each backup', async () => {
    at('2026-11-20T12:00:00.000Z')
    const disk = memory({ now })
    await fill(disk, 1200)
    let gets = 0
    let lists = 0
    const counting: Storage = {
      ...disk,
      get: (...call) => {
        gets += 1
        return disk.get(...call)
      },
      list: (...call) => {
        lists += 1
        return disk.list(...call)
      },
    }
    const { engine } = await openWith({ disk: counting }, { retention: { keepLast: null } })
    await engine.prune('app', { now: true })
    expect(gets).toBeLessThan(70)
    expect(lists).toBeLessThan(60)
  })
})

describe('bodies that killed runs left behind', () => {
  async function orphan(storage: Storage, created: string): Promise<Manifest> {
    const manifest = await putExample(storage, { created })
    const [key = ''] = (await keysIn(storage)).filter(
      (each) => each.includes('/catalog/') && each.includes(timeIn(manifest)),
    )
    await storage.delete([key])
    return manifest
  }
  const timeIn = ({ id }: Manifest): string => id.slice(0, 'YYYYMMDDTHHMMSS'.length)

  test('are swept once they are a day old, and never when a manifest is there', async () => {
    at('2026-11-18T12:00:00.000Z')
    const disk = memory({ now })
    const old = await orphan(disk, '2026-11-18T11:00:00.000Z')
    at('2026-11-20T12:00:00.000Z')
    const young = await orphan(disk, '2026-11-20T11:00:00.000Z')
    const late = await orphan(disk, '2026-11-17T11:00:00.000Z') // Made long ago, stored just now.
    const made = await fill(disk, 2)
    const { engine } = await openWith({ disk })
    const result = await engine.prune('app', { now: true })
    expect(result.storages).toMatchObject([
      { outcome: 'deleted', orphans: { count: 2 }, remove: [], deleted: { count: 0 } },
    ])
    const keys = await keysIn(disk)
    expect(keys).not.toContain(old.body)
    expect(keys).toEqual(expect.arrayContaining([young.body, late.body, ...made.map(({ body }) => body)]))
  })
})

describe('kill -9 in the middle of a prune', () => {
  const killed = (folder: string, spool: string, killAt: number) =>
    spawnSync(
      process.execPath,
      [join(import.meta.dirname, 'testing/killed-prune.ts'), folder, spool, now().toISOString(), String(killAt)],
      { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } },
    )

  test.each([1, 2, 4, 6, 9, 11])(
    'at step %i leaves every listed backup whole, and the next prune finishes',
    async (killAt) => {
      at('2026-11-20T12:00:00.000Z')
      const folder = join(dir, `kill-${killAt}`)
      const disk = filesystem({ dir: folder })
      const made = await fill(disk, 6)
      const first = made[0]
      if (first !== undefined) {
        const record = { level: 'checked', outcome: 'failed', at: now().toISOString(), durationMs: 1 } as const
        await putVerifyRecord(disk, { ...first, created: new Date(first.created) }, record)
      }
      const { signal, stderr } = killed(folder, join(dir, `spool-${killAt}`), killAt)
      // Four manifests, a record and four bodies: the last two kills come too late.
      expect([signal, stderr]).toEqual([killAt > 9 ? null : 'SIGKILL', ''])
      await expectAllWhole(disk)
      expect(await idsIn(disk)).toEqual(expect.arrayContaining(idsOf(made.slice(4)) as string[]))

      // Bodies are swept when they are a day old by the folder's own clock, which is the real one.
      clock.ms = Date.now() + 2 * DAY
      expect(killed(folder, join(dir, `spool-${killAt}`), 0)).toMatchObject({ status: 0, stderr: '' })
      expect(await idsIn(disk)).toEqual(idsOf(made.slice(4)))
      expect((await keysIn(disk)).filter((key) => !key.includes('/prune/')).sort()).toEqual(
        (await Promise.all(made.slice(4).map(async ({ body }) => body)))
          .concat((await keysIn(disk)).filter((key) => key.includes('/catalog/')))
          .sort(),
      )
    },
  )
})

describe('with somebody else who went on from a state that this engine does not know', () => {
  const openTwo = async () => {
    const folder = mkdtempSync(join(dir, 'fork-'))
    const disk = memory()
    const db = new Database(join(folder, 'app.db'))
    db.pragma('journal_mode = WAL')
    db.exec('CREATE TABLE notes (text)')
    const databases = { app: join(folder, 'app.db') }
    const config = { databases, storages: { disk }, retention: { keepLast: 1, manual: 0 } }
    const engine = createEngine(await resolveConfig({ config, environment: {} }))
    opened.push(engine)
    const backup = async (): Promise<{ readonly id: string; readonly createdMs: number }> => {
      const { id, manifest } = await engine.backup('app')
      return { id, createdMs: Date.parse(manifest?.created ?? '') }
    }
    const theirs = (createdMs: number) =>
      putExample(disk, { created: new Date(createdMs), writer: 'theirs', parent: '20200101T000000Z-aaaaaaaa' })
    return { disk, db, engine, backup, theirs }
  }

  test('a backup that does not grow from the newest one marks it as the tip of a branch', async () => {
    const { disk, db, engine, backup, theirs } = await openTwo()
    const first = await backup()
    const other = await theirs(first.createdMs + 1)
    db.exec("INSERT INTO notes VALUES ('ours')")
    const ours = await backup()
    db.close()
    expect((await keysIn(disk)).filter((key) => key.endsWith('/tip.json'))).toHaveLength(1)
    const { storages } = await engine.prune('app', { now: true })
    expect(storages).toMatchObject([{ outcome: 'deleted', deleted: { count: 1 } }])
    expect(await idsIn(disk)).toEqual([other.id, ours.id].sort())
  })

  test('the one that is not the newest stays too', async () => {
    const { disk, db, engine, backup, theirs } = await openTwo()
    await backup()
    db.exec("INSERT INTO notes VALUES ('ours')")
    const ours = await backup()
    db.close()
    const other = await theirs(ours.createdMs + 1)
    const { storages } = await engine.prune('app', { now: true })
    expect(storages).toMatchObject([{ outcome: 'deleted', deleted: { count: 1 } }])
    expect(await idsIn(disk)).toEqual([other.id, ours.id].sort())
  })
})
