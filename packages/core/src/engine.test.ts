import { existsSync, mkdtempSync, rmSync, utimesSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, describe, expect, test } from 'vitest'
import type { Config } from './config/config.ts'
import { openBackup } from './engine.ts'
import type { SqliteBackup } from './engine-api.ts'
import type { EventName } from './events.ts'
import { faulty } from './storage/faulty.ts'
import { memory } from './storage/memory.ts'
import { bytesBody, readObject, type Storage } from './storage/storage.ts'

const opened: { close(): unknown }[] = []

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})

async function setUp(config: Omit<Config, 'databases'> = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'engine-'))
  const path = join(dir, 'app.db')
  const db = new Database(path)
  opened.push({ close: () => db.close() })
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)')
  add(db, 5)
  const disk = memory()
  const engine = await open({ databases: { app: path }, storages: { disk }, ...config })
  return { dir, path, db, disk, engine }
}

async function open(config: Config): Promise<SqliteBackup> {
  const engine = await openBackup(config)
  opened.push(engine)
  return engine
}

function add(db: Database.Database, rows: number): void {
  const insert = db.prepare('INSERT INTO notes (text) VALUES (?)')
  for (let i = 0; i < rows; i++) insert.run(`note ${i}`)
}

function count(db: Database.Database): unknown {
  return db.prepare('SELECT count(*) FROM notes').pluck().get()
}

function rowsIn(path: string): unknown {
  const db = new Database(path, { readonly: true })
  try {
    return count(db)
  } finally {
    db.close()
  }
}

test('a backup is listed, shown, verified to each level, and restored to a new file', async () => {
  const { dir, engine } = await setUp()
  const made = await engine.backup('app', { name: 'before-import', actor: 'ann' })
  expect(made).toMatchObject({ outcome: 'stored', storages: [{ storage: 'disk', ok: true }], warnings: [] })

  const { items, fork } = await engine.list('app')
  expect(items).toMatchObject([{ id: made.id, tier: 'manual', name: 'before-import' }])
  expect(fork).toBeUndefined()
  expect(await engine.listDatabases()).toEqual(['app'])

  for (const level of ['stored', 'checked', 'proven'] as const) {
    expect((await engine.verify('latest', { level })).record).toMatchObject({ level, outcome: 'ok' })
  }
  const { manifest, records } = await engine.show('before-import')
  expect(manifest).toMatchObject({ id: made.id, actor: 'ann', trigger: 'manual' })
  expect(records.map(({ level }) => level)).toEqual(['stored', 'checked', 'proven'])
  expect(records.at(-1)?.tables).toEqual({ notes: 5 })

  const output = join(dir, 'copy.db')
  expect(await engine.restore(made.id, { output })).toMatchObject({ how: 'new-file', target: output })
  expect(rowsIn(output)).toBe(5)
  await expect(engine.restore(made.id, { output })).rejects.toMatchObject({ code: 'RESTORE_TARGET_EXISTS' })
})

test('a restore in place reaches the open connections, and what it replaced can be put back', async () => {
  const { engine, db } = await setUp()
  await engine.backup('app')
  add(db, 3)
  const restored = await engine.restore('latest')
  expect(restored).toMatchObject({ how: 'online', warnings: [] })
  expect(count(db)).toBe(5)
  add(db, 1)
  expect(count(db)).toBe(6)

  const safety = await engine.show(restored.safetyBackup ?? 'none')
  expect(safety.manifest).toMatchObject({ tier: 'pre-restore', trigger: 'restore' })
  await engine.restore(safety.manifest.id)
  expect(count(db)).toBe(8)
})

test('after going back to an older backup, latest is the state that was gone back to', async () => {
  const { engine, db } = await setUp()
  const old = await engine.backup('app')
  add(db, 3)
  const abandoned = await engine.backup('app')
  await engine.restore(old.id)
  const { manifest } = await engine.show('latest')
  expect(manifest).toMatchObject({ trigger: 'restore', lineage: { parent: old.id } })
  expect(manifest.id).not.toBe(abandoned.id)
  expect((await engine.status()).healthy).toBe(true)
})

test('what a restore replaced is kept under the name of the database it was', async () => {
  const { dir, engine, db, disk, path } = await setUp()
  await engine.backup('app')
  const otherPath = join(dir, 'other.db')
  const other = new Database(otherPath)
  other.exec("CREATE TABLE things (x); INSERT INTO things VALUES ('precious')")
  other.close()
  const both = await open({ databases: { app: path, other: otherPath }, storages: { disk } })
  await both.restore('latest', { database: 'app', output: otherPath })
  expect(rowsIn(otherPath)).toBe(count(db))
  expect((await both.list('other')).items.map(({ tier }) => tier)).toEqual(['manual', 'pre-restore'])
  expect((await both.list('app')).items.map(({ tier }) => tier)).toEqual(['manual'])
})

test('a missing database comes back at the start, a present one is left alone, and without a backup it starts empty', async () => {
  const { engine, db, path, disk } = await setUp()
  expect(await engine.restoreIfMissing()).toMatchObject([{ database: 'app', outcome: 'present' }])
  await engine.backup('app')
  db.close()
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true })
  expect(await engine.restoreIfMissing()).toMatchObject([{ outcome: 'restored', restored: { how: 'linked' } }])
  expect(rowsIn(path)).toBe(5)

  const other = await open({ databases: { app2: `${path}2` }, storages: { disk } })
  const [result] = await other.restoreIfMissing()
  expect(result).toMatchObject({ outcome: 'started-empty' })
  expect(result?.warnings.join()).toContain('holds backups of app.')
})

test('the next backup after a restore names what it grew from, and two writers from one parent are a fork', async () => {
  const { dir, engine, path, disk } = await setUp()
  const first = await engine.backup('app')
  const elsewhere = await open({ databases: { app: join(dir, 'other', 'app.db') }, storages: { disk } })
  await elsewhere.restoreIfMissing()
  const theirs = await elsewhere.backup('app')
  expect(theirs.manifest?.lineage.parent).toBe(first.id)
  expect((await engine.list('app')).fork).toBeUndefined()

  const forks: unknown[] = []
  engine.on('lineage.forked', (event) => forks.push(event.tips))
  const db = new Database(path)
  add(db, 1)
  db.close()
  const ours = await engine.backup('app')
  expect(ours.manifest?.lineage.parent).toBe(first.id)
  expect(forks).toEqual([[theirs.id, first.id]])
  expect(new Set((await engine.list('app')).fork)).toEqual(new Set([ours.id, theirs.id]))
  expect(await engine.status()).toMatchObject({
    healthy: false,
    databases: [{ storages: [{ fork: expect.anything() }] }],
  })
})

test('scheduled backups fill the tiers from the top', async () => {
  const { engine } = await setUp()
  let hour: string | undefined
  for (let i = 0; i < 3; i++) {
    const { manifest } = await engine.backup('app', { tier: 'scheduled' })
    // The test may run over a full hour, even over midnight.
    const isFirst = manifest?.created.slice(0, 13) !== hour
    expect(manifest?.tier).toMatch(
      i === 0 ? /^yearly$/ : isFirst ? /^(hourly|daily|weekly|monthly|yearly)$/ : /^recent$/,
    )
    hour = manifest?.created.slice(0, 13)
  }
})

test('encrypted backups are stored unreadable and come back with the identity', async () => {
  const passphrase = 'correct horse battery staple'
  process.env.TEST_BACKUP_PASSPHRASE = passphrase
  const { env } = await import('./config/secret.ts')
  const { engine, dir, disk } = await setUp({ encryption: { passphrase: env('TEST_BACKUP_PASSPHRASE') } })
  const { manifest } = await engine.backup('app')
  expect(manifest).toMatchObject({ encryption: { method: 'age', recipients: 'passphrase' } })
  const body = Buffer.from(await readObject(disk, manifest?.body ?? ''))
  expect(body.subarray(0, 21).toString()).toBe('age-encryption.org/v1')
  expect((await engine.verify('latest', { level: 'proven' })).record.outcome).toBe('ok')
  await engine.restore('latest', { output: join(dir, 'copy.db') })
  expect(rowsIn(join(dir, 'copy.db'))).toBe(5)
  expect(JSON.stringify(manifest)).not.toContain(passphrase)
})

test('a corrupted body fails verification and the status says so', async () => {
  const { engine, disk } = await setUp()
  const { manifest } = await engine.backup('app')
  const bytes = Buffer.from(await readObject(disk, manifest?.body ?? ''))
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
  await disk.put(manifest?.body ?? '', bytesBody(bytes))
  expect((await engine.verify('latest', { level: 'stored' })).record.outcome).toBe('ok')
  expect((await engine.verify('latest', { level: 'checked' })).record).toMatchObject({
    outcome: 'failed',
    error: { code: 'BODY_DIGEST_MISMATCH' },
  })
  expect((await engine.status()).databases[0]?.storages[0]?.problems).toEqual([
    'The newest backup failed verification.',
  ])
  expect(await engine.verifyAll({ level: 'proven' })).toMatchObject([{ record: { outcome: 'failed' } }])
})

test('a backup that fails the check it was promised fails, and is marked', async () => {
  // A storage that takes everything and keeps other bytes than it was given.
  const inner = memory()
  const lossy: Storage = {
    ...inner,
    async put(key, body, options) {
      const result = await inner.put(key, body, options)
      if (!key.endsWith('.zst')) return result
      const bytes = Buffer.from(await readObject(inner, key))
      bytes[40] = (bytes[40] ?? 0) ^ 1
      return inner.put(key, bytesBody(bytes))
    },
  }
  const { engine } = await setUp({ storages: { lossy }, verify: { afterBackup: 'proven' } })
  await expect(engine.backup('app')).rejects.toMatchObject({ code: 'VERIFY_FAILED' })

  const good = await setUp({ verify: { afterBackup: 'proven' } })
  const { id } = await good.engine.backup('app')
  expect((await good.engine.show(id)).records).toMatchObject([{ level: 'proven', outcome: 'ok', tables: { notes: 5 } }])
})

test('an engine of another environment is refused', async () => {
  const { disk, path, engine } = await setUp({ environment: 'production' })
  await engine.backup('app')
  const staging = await open({ databases: { app: path }, storages: { disk }, environment: 'staging' })
  await expect(staging.backup('app')).rejects.toMatchObject({ code: 'ENVIRONMENT_MISMATCH' })
  await expect(staging.restore('latest')).rejects.toMatchObject({ code: 'ENVIRONMENT_MISMATCH' })
})

test('the doctor names the orphan of a run that died between body and manifest', async () => {
  const { engine, disk } = await setUp()
  const { manifest } = await engine.backup('app')
  const orphan = (manifest?.body ?? '').replace(/\d{8}T\d{6}\.\d{3}Z/, '20200101T000000.000Z')
  await disk.put(orphan, bytesBody(Buffer.from('half')))
  expect((await engine.list('app')).items).toHaveLength(1)
  expect(await engine.doctor()).toContainEqual(
    expect.objectContaining({ code: 'ORPHAN_BODY', message: expect.stringContaining(orphan) }),
  )
})

test('a run tells its story in events, and a listener that throws does not break it', async () => {
  const { engine } = await setUp()
  const names: EventName[] = []
  engine.onAny((name) => names.push(name))
  engine.on('backup.started', () => {
    throw new Error('from a listener')
  })
  await engine.backup('app')
  await engine.verify('latest')
  expect(names.filter((name) => !name.endsWith('.progress'))).toEqual([
    'backup.started',
    'backup.succeeded',
    'verify.succeeded',
  ])
})

test('a storage that is down for a moment is retried and told', async () => {
  const inner = memory()
  const shaky = faulty(inner, [{ on: 'put', nth: 1, code: 'UNAVAILABLE' }])
  const { engine } = await setUp({ storages: { shaky } })
  const retried: string[] = []
  engine.on('storage.retried', (event) => retried.push(event.storage))
  await engine.backup('app')
  expect(retried).toEqual(['shaky'])
  expect((await engine.list('app')).items).toHaveLength(1)
})

test('SQLITE_BACKUP=off does nothing, and says so', async () => {
  process.env.SQLITE_BACKUP = 'off'
  try {
    const { engine, disk } = await setUp()
    expect(await engine.backup('app')).toMatchObject({ outcome: 'off' })
    expect(await engine.restoreIfMissing()).toMatchObject([{ outcome: 'off' }])
    expect((await disk.list()).objects).toEqual([])
  } finally {
    delete process.env.SQLITE_BACKUP
  }
})

test('a restore that fails for its keys leaves the lock free', async () => {
  const { generateIdentity, identityToRecipient } = await import('age-encryption')
  const recipient = await identityToRecipient(await generateIdentity())
  const { engine } = await setUp({ encryption: { recipients: [recipient], identityFile: './no-such.key' } })
  await engine.backup('app')
  await expect(engine.restore('latest')).rejects.toMatchObject({ code: 'IDENTITY_MISSING' })
  expect((await engine.backup('app', { lockWaitMs: 0 })).outcome).toBe('stored')
})

test('a file that a restore may overwrite is kept beside it', async () => {
  const { dir, engine, db } = await setUp()
  await engine.backup('app')
  const output = join(dir, 'copy.db')
  const { id } = await engine.restore('latest', { output })
  const copy = new Database(output)
  add(copy, 4)
  copy.close()
  const again = await engine.restore('latest', { output, overwrite: true })
  expect(rowsIn(output)).toBe(count(db))
  expect(again.warnings).toEqual([`What was there before is kept as ${output}.before-${id}.`])
  expect(rowsIn(`${output}.before-${id}`)).toBe(9)

  // Once more: what was kept the first time is not replaced by what is kept now.
  await engine.restore('latest', { output, overwrite: true })
  expect(rowsIn(`${output}.before-${id}`)).toBe(9)
  expect(rowsIn(`${output}.before-${id}-2`)).toBe(count(db))
})

test('status and doctor name a newest backup whose manifest is damaged', async () => {
  const { engine, disk } = await setUp()
  await engine.backup('app')
  const { objects } = await disk.list({ prefix: 'app/catalog/' })
  await disk.put(objects[0]?.key ?? '', bytesBody(Buffer.from('{')))
  expect((await engine.status()).databases[0]?.storages).toMatchObject([
    { healthy: false, problems: ['The newest backup cannot be restored: its manifest is damaged.'] },
  ])
  expect((await engine.doctor()).filter(({ level }) => level === 'error')).toMatchObject([{ code: 'STATUS' }])
})

test('what a killed restore replaced becomes a backup with the next one', async () => {
  const { dir, db, engine } = await setUp()
  await engine.backup('app')
  add(db, 3)
  const left = join(dir, '.sqlite-backup', 'app.db', 'pre-restore-0123456789ab.db')
  await db.backup(left)
  expect((await engine.backup('app')).warnings).toEqual([]) // Perhaps somebody is at work on it.
  const twoHoursAgo = Date.now() / 1000 - 7200
  utimesSync(left, twoHoursAgo, twoHoursAgo)
  const { warnings } = await engine.backup('app')
  expect(existsSync(left)).toBe(false)
  const { items } = await engine.list('app', { tier: 'pre-restore' })
  expect(items).toHaveLength(1)
  expect(warnings).toEqual([expect.stringContaining(items[0]?.id ?? 'an id')])
  await engine.restore(items[0]?.id ?? '', { output: join(dir, 'copy.db') })
  expect(rowsIn(join(dir, 'copy.db'))).toBe(8)
})

test('latest is the newest of all storages, not of the first that answers', async () => {
  const { path, db, dir } = await setUp()
  const [one, two] = [memory(), memory()]
  const engine = await open({ databases: { app: path }, storages: { one, two } })
  await engine.backup('app')
  add(db, 1)
  const newer = await engine.backup('app', { to: ['two'] })
  expect(await engine.show('latest')).toMatchObject({ storage: 'two', manifest: { id: newer.id } })
  await engine.restore('latest', { output: join(dir, 'copy.db') })
  expect(rowsIn(join(dir, 'copy.db'))).toBe(6)
})

test('what waits for one storage survives runs that name only another', async () => {
  const { path, disk } = await setUp()
  const broken = faulty(memory(), [{ on: 'put', times: 99, code: 'STORAGE_DENIED' }])
  const shaky = await open({ databases: { app: path }, storages: { disk, away: broken }, require: 'any' })
  const first = await shaky.backup('app')
  await shaky.backup('app', { to: ['disk'] })
  const mended = memory()
  const later = await open({ databases: { app: path }, storages: { disk, away: mended } })
  await later.backup('app')
  expect((await later.list('app', { from: 'away' })).items.map(({ id }) => id)).toContain(first.id)
})

describe('closing', () => {
  test('waits for running work and refuses what comes after', async () => {
    const { engine } = await setUp()
    const running = engine.backup('app')
    await engine.close()
    expect((await running).outcome).toBe('stored')
    await expect(engine.backup('app')).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('a signal aborts each call', async () => {
    const { engine, disk, dir } = await setUp()
    const { id } = await engine.backup('app')
    const before = (await disk.list()).objects.length
    const signal = AbortSignal.abort()
    const calls = [
      engine.backup('app', { signal }),
      engine.list('app', { signal }),
      engine.listDatabases({ signal }),
      engine.show(id, { signal }),
      engine.planRestore(id, { signal }),
      engine.restore(id, { signal, output: join(dir, 'copy.db') }),
      engine.restore(id, { signal }),
      engine.verify(id, { signal, level: 'proven' }),
      engine.verifyAll({ signal }),
    ]
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map((each) => each.status === 'rejected' && each.reason.code)).toEqual(calls.map(() => 'ABORTED'))
    expect((await disk.list()).objects).toHaveLength(before)
  })

  test('what a start does is in the log, in pino’s shape', async () => {
    const lines: { readonly level: string; readonly fields: object; readonly message: string }[] = []
    const at = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message })
    const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
    const dir = mkdtempSync(join(tmpdir(), 'engine-log-'))
    const engine = await open({ databases: { app: join(dir, 'app.db') }, storages: { disk: memory() }, log })
    await engine.restoreIfMissing()
    const message = expect.stringContaining('starts with an empty database')
    expect(lines).toContainEqual({ level: 'warn', fields: { database: 'app', outcome: 'started-empty' }, message })
  })
})

describe('opening an engine', () => {
  const prepared = (): { readonly storage: Storage; readonly times: () => number } => {
    let times = 0
    const prepare = async (): Promise<void> => {
      times++
      throw new Error('a package is not there')
    }
    return { storage: { ...memory(), prepare }, times: () => times }
  }

  test('prepares its storages, which may fail until they are used', async () => {
    const { storage, times } = prepared()
    const { engine } = await setUp({ storages: { disk: storage }, profile: 'default' })
    expect(times()).toBe(1)
    expect(await engine.backup('app')).toMatchObject({ outcome: 'stored' })
  })

  test('leaves that to the first use where memory is short', async () => {
    const { storage, times } = prepared()
    await setUp({ storages: { disk: storage }, profile: 'small' })
    expect(times()).toBe(0)
  })
})
