import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openBackup } from '@sqlite-backup/core'
import { memory } from '@sqlite-backup/core/testing'
import knex from 'knex'
import { expect, onTestFinished, test } from 'vitest'
import { migrateLatestWithBackup } from './knex.ts'

async function setUp() {
  const dir = mkdtempSync(join(tmpdir(), 'knex-guard-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const directory = join(dir, 'migrations')
  mkdirSync(directory)
  const path = join(dir, 'app.db')
  const db = knex({
    client: 'better-sqlite3',
    connection: { filename: path },
    useNullAsDefault: true,
    migrations: { directory },
  })
  onTestFinished(() => db.destroy())
  const add = (name: string, up: string, more = ''): void =>
    writeFileSync(
      join(directory, name),
      `exports.up = async (knex) => { ${up} }\nexports.down = async () => {}\n${more}`,
    )
  add(
    '1_init.js',
    "await knex.schema.createTable('posts', (t) => t.integer('id')); await knex('posts').insert([{id:1},{id:2},{id:3}])",
  )
  const backup = await openBackup({ databases: { app: path }, storages: { disk: memory() } })
  onTestFinished(() => backup.close())
  const posts = async (): Promise<unknown> => (await db('posts').count({ n: '*' }))[0]?.n
  return { db, add, backup, posts }
}

test('a kept migration has Knex’s result; with none pending no backup is made', async () => {
  const { db, add, backup, posts } = await setUp()
  expect(await migrateLatestWithBackup(db, { backup })).toEqual([1, ['1_init.js']])
  expect(await posts()).toBe(3)
  add('2_more.js', "await knex.schema.createTable('more', (t) => t.integer('id'))")
  expect(await migrateLatestWithBackup(db, { backup })).toEqual([2, ['2_more.js']])
  expect(await migrateLatestWithBackup(db, { backup })).toEqual([2, []])
  expect((await backup.list('app')).items.map(({ name }) => name)).toEqual(['before-2_more.js'])
  expect((await backup.show('before-migration:2_more')).manifest.beforeMigration?.pending).toEqual(['2_more.js'])
})

test('looking for what is pending makes no tables', async () => {
  const { db, backup } = await setUp()
  await db.raw('CREATE TABLE mine(x)')
  await expect(
    migrateLatestWithBackup(db, { backup, config: { directory: '/nowhere/migrations' } }),
  ).rejects.toMatchObject({ code: 'MIGRATION_ROLLED_BACK' })
  expect(await db('sqlite_master').pluck('name')).toEqual(['mine'])
})

test('a migration that loses rows is rolled back, and so are Knex’s own books', async () => {
  const { db, add, backup, posts } = await setUp()
  await db.migrate.latest()
  add('2_lossy.js', "await knex('posts').where('id', '<', 3).del()")
  await expect(migrateLatestWithBackup(db, { backup })).rejects.toMatchObject({
    pending: ['2_lossy.js'],
    lost: [{ table: 'posts', before: 3, after: 1 }],
  })
  expect([await posts(), await db('knex_migrations').pluck('name')]).toEqual([3, ['1_init.js']])
  expect(await migrateLatestWithBackup(db, { backup, allowLoss: ['posts'] })).toEqual([2, ['2_lossy.js']])
})

test('what a migration without a transaction left half-done is rolled back, and the lock is free', async () => {
  const { db, add, backup, posts } = await setUp()
  await db.migrate.latest()
  add(
    '2_half.js',
    "await knex('posts').where({ id: 1 }).del(); throw new Error('no more')",
    'exports.config = { transaction: false }',
  )
  await expect(migrateLatestWithBackup(db, { backup })).rejects.toMatchObject({
    isRestored: true,
    cause: { message: expect.stringContaining('no more') },
  })
  expect(await posts()).toBe(3)
  expect(await db('knex_migrations_lock').pluck('is_locked')).toEqual([0])
})
