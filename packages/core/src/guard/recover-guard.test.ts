import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openBackup } from '../engine.ts'
import { filesystem } from '../storage/filesystem.ts'
import type { GuardOptions } from './guard-api.ts'
import { type AppOptions, migrationOf } from './testing/app.ts'

const script = join(import.meta.dirname, 'testing/app.ts')

interface Place {
  readonly path: string
  readonly storage: string
  readonly intent: string
  readonly db: Database.Database
}

function setUp(): Place {
  const dir = mkdtempSync(join(tmpdir(), 'guard-kill-'))
  const path = join(dir, 'app.db')
  const db = new Database(path)
  onTestFinished(() => {
    db.close()
    rmSync(dir, { recursive: true, force: true })
  })
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE posts(id INTEGER PRIMARY KEY, text); INSERT INTO posts VALUES (1, 1), (2, 2), (3, 3)')
  const intent = join(dir, '.sqlite-backup', 'app.db', 'migration', 'intent.json')
  return { path, storage: join(dir, 'storage'), intent, db }
}

/** Runs the app in a process of its own; what it says, or how it was killed. */
async function runApp(
  { path, storage }: Place,
  options: Pick<AppOptions, 'migration' | 'killAt' | 'lockWaitMs'>,
): Promise<{ signal?: string; said?: unknown }> {
  const args = ['--disable-warning=ExperimentalWarning', script, JSON.stringify({ path, storage, ...options })]
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args)
    return { said: JSON.parse(stdout) }
  } catch (error) {
    return { signal: (error as { signal: string }).signal }
  }
}

/** The next start, in this process. */
async function startAgain(
  { path, storage, db }: Place,
  migration: AppOptions['migration'],
  more: Pick<GuardOptions, 'allowLoss' | 'rowLoss'> = {},
) {
  await using engine = await openBackup({ databases: { app: path }, storages: { disk: filesystem({ dir: storage }) } })
  const warnings: string[] = []
  const { migrate, options } = migrationOf(db, migration, () => {})
  const ended = await engine
    .guard('app', migrate, { ...options, ...more, onWarning: (text) => warnings.push(text) })
    .then(
      ({ outcome }) => outcome,
      (error: { code: string }) => error.code,
    )
  const tiers = (await engine.list('app')).items.map(({ tier }) => tier).toSorted()
  return { ended, warnings: warnings.join('\n'), tiers }
}

/** What doctor finds about it, which changes nothing. */
async function findings({ path, storage }: Place): Promise<readonly string[]> {
  await using engine = await openBackup({ databases: { app: path }, storages: { disk: filesystem({ dir: storage }) } })
  const found = (await engine.doctor()).filter(({ code }) => code.startsWith('MIGRATION'))
  return found.map(({ level, message }) => `${level}: ${message}`)
}

const posts = ({ db }: Place): unknown => db.prepare('SELECT count(*) FROM posts').pluck().get()
const texts = ({ db }: Place): unknown => db.prepare('SELECT text FROM posts ORDER BY id').pluck().all()
const hasExtra = ({ db }: Place): boolean =>
  db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'extra'").get() !== undefined

describe('killed', () => {
  test.each(['backup.started', 'backup.succeeded'] as const)(
    'at %s, nothing has begun and nothing is left',
    async (killAt) => {
      const place = setUp()
      expect(await runApp(place, { migration: 'good', killAt })).toEqual({ signal: 'SIGKILL' })
      expect(await startAgain(place, 'good')).toMatchObject({ ended: 'kept', warnings: '', tiers: ['pre-migration'] })
      expect(readdirSync(join(place.intent, '..'))).toEqual(['lock.db'])
    },
  )

  test('before the first statement, the next start says so and migrates, with the same backup', async () => {
    const place = setUp()
    expect(await runApp(place, { migration: 'good', killAt: 'migration.started' })).toEqual({ signal: 'SIGKILL' })
    expect(existsSync(place.intent)).toBe(true)
    expect(await findings(place)).toEqual([
      expect.stringMatching(/^warning: .* \(0001\) was interrupted\. The database is as it was before\. .* goes on\.$/),
    ])
    expect(await startAgain(place, 'good')).toEqual({
      ended: 'kept',
      warnings: expect.stringContaining('The database is as it was before.'),
      tiers: ['pre-migration'],
    })
    expect(existsSync(place.intent)).toBe(false)
  })

  test('between two statements, the next start undoes the first and migrates', async () => {
    const place = setUp()
    expect(await runApp(place, { migration: 'good', killAt: 'half' })).toEqual({ signal: 'SIGKILL' })
    expect(hasExtra(place)).toBe(true)
    expect(await findings(place)).toEqual([
      expect.stringMatching(
        /Nothing is lost\. .* keeps it when all of it was applied; otherwise it rolls it back to \S+\.$/,
      ),
    ])
    const { ended, warnings } = await startAgain(place, 'good')
    expect(ended).toBe('kept')
    expect(warnings).toMatch(/is rolled back to \S+\. Nobody knows whether all of it was applied\./)
    expect([posts(place), hasExtra(place)]).toEqual([3, true])
  })

  test('after a good migration, the next start checks and keeps it', async () => {
    const place = setUp()
    expect(await runApp(place, { migration: 'good', killAt: 'migrated' })).toEqual({ signal: 'SIGKILL' })
    expect(await startAgain(place, 'good')).toMatchObject({
      ended: 'nothing-pending',
      warnings: expect.stringContaining('after all of it was applied. Checked now: nothing is lost.'),
    })
    expect([posts(place), hasExtra(place), existsSync(place.intent)]).toEqual([3, true, false])
  })

  test.each(['migrated', 'restore.started', 'restore.progress', 'restore.succeeded'] as const)(
    'at %s of a migration that loses rows, they are there again after the next start',
    async (killAt) => {
      const place = setUp()
      expect(await runApp(place, { migration: 'lossy', killAt })).toEqual({ signal: 'SIGKILL' })
      const [found] = await findings(place)
      if (killAt === 'migrated') expect(found).toMatch(/rolls it back to \S+: posts lost all of its 3 rows\.$/)
      else expect(found).toContain('was interrupted while it was rolled back.')
      const { ended, warnings } = await startAgain(place, 'lossy')
      // Undone, tried again, undone again.
      expect(ended).toBe('MIGRATION_ROLLED_BACK')
      // A restore that tells of its progress may be over.
      if (killAt !== 'restore.succeeded') expect(warnings).toMatch(/posts lost all of its 3 rows|as it was before/)
      else expect(warnings).toContain('as it was before')
      expect([posts(place), hasExtra(place), existsSync(place.intent)]).toEqual([3, false, false])
    },
  )

  test.each(['half', 'restore.started', 'restore.progress', 'restore.succeeded'] as const)(
    'at %s of a migration that failed half-way, its rows are as before, and it is applied once when mended',
    async (killAt) => {
      const place = setUp()
      expect(await runApp(place, { migration: 'failing', killAt })).toEqual({ signal: 'SIGKILL' })
      const { ended, warnings } = await startAgain(place, 'failing')
      expect(ended).toBe('MIGRATION_ROLLED_BACK')
      if (killAt === 'half') expect(warnings).toContain('Nobody knows whether all of it was applied.')
      if (killAt === 'restore.started') expect(warnings).toContain('It failed: no such table: nowhere.')
      if (killAt === 'restore.succeeded') expect(warnings).toContain('The database is as it was before.')
      expect([texts(place), existsSync(place.intent)]).toEqual([[1, 2, 3], false])
      expect((await startAgain(place, 'mended')).ended).toBe('kept')
      expect(texts(place)).toEqual([100, 200, 300])
    },
  )

  test.each(['check', 'restore.started', 'restore.progress', 'restore.succeeded'] as const)(
    'at %s of a migration that passes no check, it is undone',
    async (killAt) => {
      const place = setUp()
      expect(await runApp(place, { migration: 'wrong', killAt })).toEqual({ signal: 'SIGKILL' })
      const { ended, warnings } = await startAgain(place, 'wrong')
      expect(ended).toBe('MIGRATION_ROLLED_BACK')
      if (killAt === 'check') expect(warnings).toMatch(/rolled back to \S+\. A check failed: balances gave false\./)
      expect([posts(place), hasExtra(place), existsSync(place.intent)]).toEqual([3, false, false])
    },
  )

  test('at each start, what was made is stored once', async () => {
    const place = setUp()
    for (let start = 0; start < 4; start++) {
      expect(await runApp(place, { migration: 'failing', killAt: 'half' })).toEqual({ signal: 'SIGKILL' })
    }
    const { ended, warnings, tiers } = await startAgain(place, 'mended')
    expect([ended, tiers]).toEqual(['kept', ['pre-migration', 'pre-restore']])
    expect(warnings).toContain('is kept in ')
    expect(texts(place)).toEqual([100, 200, 300])
  })

  test.each([
    ['warn', 'nothing-pending', /It is kept\. posts lost all of its 3 rows\./],
    ['fail', 'MIGRATION_LOST_ROWS', /^$/],
  ] as const)(
    'after a migration that loses rows, the next start does as rowLoss: %s says',
    async (rowLoss, as, told) => {
      const place = setUp()
      await runApp(place, { migration: 'lossy', killAt: 'migrated' })
      const { ended, warnings } = await startAgain(place, 'lossy', { rowLoss })
      expect([ended, posts(place), existsSync(place.intent)]).toEqual([as, 0, false])
      expect(warnings).toMatch(told)
      expect(await startAgain(place, 'lossy', { rowLoss })).toMatchObject({ ended: 'nothing-pending', warnings: '' })
    },
  )

  test('after a migration that loses rows, a loss that is allowed since is kept', async () => {
    const place = setUp()
    await runApp(place, { migration: 'lossy', killAt: 'migrated' })
    const { ended, warnings } = await startAgain(place, 'lossy', { allowLoss: ['posts'] })
    expect([ended, posts(place)]).toEqual(['nothing-pending', 0])
    expect(warnings).toContain('As allowed: posts lost all of its 3 rows.')
  })

  test('again while the next start undoes it, the one after that does', async () => {
    const place = setUp()
    await runApp(place, { migration: 'lossy', killAt: 'migrated' })
    for (const killAt of ['restore.started', 'restore.progress'] as const) {
      expect(await runApp(place, { migration: 'lossy', killAt })).toEqual({ signal: 'SIGKILL' })
      expect(existsSync(place.intent)).toBe(true)
    }
    expect((await startAgain(place, 'lossy')).ended).toBe('MIGRATION_ROLLED_BACK')
    expect([posts(place), hasExtra(place), existsSync(place.intent)]).toEqual([3, false, false])
    expect(place.db.pragma('integrity_check', { simple: true })).toBe('ok')
  })

  test.each([
    ['good', 'migration.succeeded'],
    ['lossy', 'migration.rolledBack'],
  ] as const)('when a %s migration has ended, nothing is left to do', async (migration, killAt) => {
    const place = setUp()
    expect(await runApp(place, { migration, killAt })).toEqual({ signal: 'SIGKILL' })
    expect([posts(place), hasExtra(place), existsSync(place.intent)]).toEqual([3, migration === 'good', false])
    expect(await findings(place)).toEqual([])
  })

  test('after a migration that loses rows, with rows written since: nothing is done until somebody decides', async () => {
    const place = setUp()
    place.db.exec('CREATE TABLE orders(id); INSERT INTO orders VALUES (1)')
    await runApp(place, { migration: 'lossy', killAt: 'migrated' })
    place.db.exec('INSERT INTO orders VALUES (2)')
    expect((await findings(place)).join()).toMatch(
      /a person has to decide whether to go back to \S+: others may have written since/,
    )
    expect((await startAgain(place, 'lossy')).ended).toBe('MIGRATION_INTERRUPTED')
    expect(posts(place)).toBe(0)

    await using engine = await openBackup({
      databases: { app: place.path },
      storages: { disk: filesystem({ dir: place.storage }) },
    })
    const { options } = migrationOf(place.db, 'lossy', () => {})
    const kept = await engine.guard('app', () => {}, { ...options, interrupted: 'keep' })
    expect(kept).toMatchObject({ outcome: 'nothing-pending', warnings: [expect.stringContaining('is kept as it is')] })
    expect([posts(place), existsSync(place.intent)]).toEqual([0, false])
    expect(await findings(place)).toEqual([])
  })
})

test('of two apps that start at once, one migrates and the other waits', async () => {
  const place = setUp()
  const both = await Promise.all([runApp(place, { migration: 'good' }), runApp(place, { migration: 'good' })])
  expect(both.map(({ said }) => said)).toEqual(
    expect.arrayContaining([
      { outcome: 'kept', applied: ['0001'] },
      expect.objectContaining({ outcome: 'nothing-pending' }),
    ]),
  )
  expect(place.db.prepare('SELECT count(*) FROM books').pluck().get()).toBe(1)
})
