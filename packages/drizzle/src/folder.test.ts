import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FoundBefore } from '@sqlite-backup/core'
import { expect, test } from 'vitest'
import { planMigrations } from './folder.ts'
import { makeProject, rebuildUsers } from './testing/project.ts'

const foreignKeys = [{ child: 'posts', parent: 'users', onDelete: 'CASCADE' }]
const found = (migrations: FoundBefore['migrations']): FoundBefore => ({ migrations, foreignKeys })

function makeFolder(layout: 'journal' | 'folders') {
  const project = makeProject(layout)
  const init = project.add('init', 'CREATE TABLE users(id);')
  const next = project.add('default', '-- sqlite-backup: allow-loss sessions\n', ...rebuildUsers)
  return { ...project, init, next }
}

test('the folder of Drizzle 0.45: what is later than the newest in the books', async () => {
  const { folder, init, next } = makeFolder('journal')
  expect((await planMigrations(folder, found({}))).names).toEqual([init, next])
  const books = { __drizzle_migrations: [{ hash: 'whatever', createdAt: Date.UTC(2026, 0, 1) }] }
  const plan = await planMigrations(folder, found(books), { driver: 'transaction' })
  expect(plan).toMatchObject({ names: [next], isAtomic: true, allowLoss: ['sessions'] })
  expect(Object.values(plan.tags ?? {})).toEqual([init, next])
  expect(plan.warnings).toEqual([
    expect.stringMatching(/^0001_default\.sql: PRAGMA foreign_keys=OFF — .*disarmForeignKeys/),
    expect.stringMatching(/DROP TABLE `users` — .* posts refers to it ON DELETE CASCADE/),
  ])
  const disarmed = await planMigrations(folder, found(books), { driver: 'disarmed' })
  expect(disarmed.warnings).toEqual([expect.stringMatching(/The table is rebuilt under its own name\.$/)])
})

test('the folders of Drizzle 1.0: what is not in the books by name', async () => {
  const { folder, init, next } = makeFolder('folders')
  const books = { mine: [{ name: init, hash: 'a' }] }
  expect((await planMigrations(folder, found(books), { migrationsTable: 'mine' })).names).toEqual([next])
  const later = { mine: [{ name: init }, { name: next }, { name: '20990101000000_later' }] }
  expect(await planMigrations(folder, found(later), { migrationsTable: 'mine' })).toMatchObject({
    names: [],
    warnings: [expect.stringContaining('does not know: 20990101000000_later')],
  })
})

test('the folders of Prisma, whose foreign keys are off when it says so', async () => {
  const { folder, init, next } = makeFolder('folders')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'migration_lock.toml'), 'provider = "sqlite"')
  const plan = await planMigrations(folder, found({ _prisma_migrations: [{ name: init }] }))
  expect(plan).toMatchObject({
    names: [next],
    isAtomic: false,
    warnings: [expect.stringMatching(/The table is rebuilt under its own name\.$/)],
  })
})

test('a folder that is not there is refused', async () => {
  await expect(planMigrations('/nowhere/drizzle', found({}))).rejects.toMatchObject({ code: 'USAGE' })
})
