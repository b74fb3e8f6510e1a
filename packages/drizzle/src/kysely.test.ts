import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MigrationRolledBackError, openBackup } from '@sqlite-backup/core'
import { memory } from '@sqlite-backup/core/testing'
import BetterSqlite from 'better-sqlite3'
import { Kysely, SqliteDialect, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { expect, onTestFinished, test } from 'vitest'
import { migrateToLatestWithBackup } from './kysely.ts'

async function setUp() {
  const dir = mkdtempSync(join(tmpdir(), 'kysely-guard-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const path = join(dir, 'app.db')
  const client = new BetterSqlite(path)
  client.pragma('journal_mode = WAL')
  const db = new Kysely<Record<string, Record<string, unknown>>>({ dialect: new SqliteDialect({ database: client }) })
  onTestFinished(() => db.destroy())
  const migrations: Record<string, Migration> = {
    '1_init': {
      async up(k) {
        await k.schema.createTable('posts').addColumn('id', 'integer').execute()
        await sql`INSERT INTO posts VALUES (1), (2), (3)`.execute(k)
      },
    },
  }
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const backup = await openBackup({
    databases: { app: path, other: join(dir, 'other.db') },
    storages: { disk: memory() },
  })
  onTestFinished(() => backup.close())
  const posts = () => client.prepare('SELECT count(*) FROM posts').pluck().get()
  return { db, migrations, migrator, backup, posts, client }
}

test('a kept migration has Kysely’s results and the guard’s; with none pending no backup is made', async () => {
  const { migrator, backup, db, posts, migrations } = await setUp()
  const first = await migrateToLatestWithBackup(migrator, { backup, db })
  expect(first).toMatchObject({
    results: [{ migrationName: '1_init', status: 'Success' }],
    guard: { outcome: 'kept', database: 'app', applied: ['1_init'] },
  })
  expect(first.error).toBeUndefined()
  expect(posts()).toBe(3)
  migrations['2_more'] = { up: (k) => k.schema.createTable('more').addColumn('id', 'integer').execute() }
  await migrateToLatestWithBackup(migrator, { backup, db })
  expect(await migrateToLatestWithBackup(migrator, { backup, db })).toMatchObject({
    results: [],
    guard: { outcome: 'nothing-pending' },
  })
  const { manifest } = await backup.show('before-migration:2_more', { database: 'app' })
  expect(manifest.tier).toBe('pre-migration')
  expect((await backup.list('app')).items).toHaveLength(2)
})

test('what a failed migration left half-done, outside of a transaction, is rolled back and never thrown', async () => {
  const { migrator, backup, db, posts, migrations, client } = await setUp()
  await migrator.migrateToLatest()
  migrations['2_good'] = { up: (k) => k.schema.createTable('good').addColumn('id', 'integer').execute() }
  migrations['3_half'] = {
    async up(k) {
      await sql`DELETE FROM posts WHERE id = 1`.execute(k)
      throw new Error('no more')
    },
  }
  const { error, results } = await migrateToLatestWithBackup(migrator, { backup, db })
  expect(error).toBeInstanceOf(MigrationRolledBackError)
  expect(error).toMatchObject({ pending: ['2_good', '3_half'], isRestored: true, cause: { message: 'no more' } })
  expect(results?.map(({ migrationName, status }) => [migrationName, status])).toEqual([
    ['2_good', 'NotExecuted'],
    ['3_half', 'Error'],
  ])
  expect(posts()).toBe(3)
  expect(client.prepare('SELECT name FROM kysely_migration').pluck().all()).toEqual(['1_init'])
})

test('a migration that loses rows and reports success is rolled back', async () => {
  const { migrator, backup, db, posts, migrations } = await setUp()
  await migrator.migrateToLatest()
  migrations['2_lossy'] = { up: async (k) => void (await sql`DELETE FROM posts WHERE id < 3`.execute(k)) }
  const { error } = await migrateToLatestWithBackup(migrator, { backup, db })
  expect(error).toMatchObject({ lost: [{ table: 'posts', before: 3, after: 1 }] })
  expect(posts()).toBe(3)
  const allowed = await migrateToLatestWithBackup(migrator, { backup, db, allowLoss: ['posts'] })
  expect([allowed.error, posts()]).toEqual([undefined, 1])
})

test('a guard that cannot begin is an error in the result', async () => {
  const { migrator, db, posts } = await setUp()
  const backup = await openBackup({ databases: { other: '/nowhere/other.db' }, storages: { disk: memory() } })
  onTestFinished(() => backup.close())
  expect(await migrateToLatestWithBackup(migrator, { backup, db })).toMatchObject({ error: { code: 'USAGE' } })
  expect(posts).toThrow(/no such table/)
})
