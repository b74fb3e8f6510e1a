import { execFile } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type MigrationRolledBackError, openBackup, type SqliteBackup } from '@sqlite-backup/core'
import { memory } from '@sqlite-backup/core/testing'
import BetterSqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzle as drizzle1 } from 'drizzle-orm-1/better-sqlite3'
import { migrate as migrate1 } from 'drizzle-orm-1/better-sqlite3/migrator'
import { expect, onTestFinished, test } from 'vitest'
import { migrateWithBackup } from './migrate-with-backup.ts'
import { drivers } from './testing/drivers.ts'
import { makeApp, makeProject, rebuildUsers } from './testing/project.ts'

const [driver] = drivers

async function setUp() {
  if (driver === undefined) throw new Error('There is no driver.')
  const project = makeProject(driver.layout)
  return { project, ...(await makeApp(driver, project)) }
}

function connect(path: string) {
  const client = new BetterSqlite(path, { timeout: 20_000 })
  onTestFinished(() => {
    client.close()
  })
  return { client, db: drizzle(client) }
}

async function engine(databases: Record<string, string>): Promise<SqliteBackup> {
  const backup = await openBackup({ databases, storages: { disk: memory() } })
  onTestFinished(() => backup.close())
  return backup
}

test('of three instances that start at once, one migrates and the others wait', async () => {
  const { project, connection } = await setUp()
  const tag = project.add('plan', 'ALTER TABLE `users` ADD `plan` text;')
  const start = async (): Promise<unknown> => {
    const args = [
      join(import.meta.dirname, 'testing/app.ts'),
      project.path,
      project.folder,
      join(project.dir, 'storage'),
    ]
    const { stdout } = await promisify(execFile)(process.execPath, args)
    return JSON.parse(stdout)
  }
  const said = await Promise.all([start(), start(), start()])
  expect(said).toHaveLength(3)
  expect(said.filter((each) => JSON.stringify(each).includes('"kept"'))).toEqual([{ outcome: 'kept', applied: [tag] }])
  expect(said.filter((each) => JSON.stringify(each).includes('"nothing-pending"'))).toHaveLength(2)
  expect(await connection.value('SELECT count(*) FROM __drizzle_migrations')).toBe(2)
})

test('a crash loop on the same content has one backup', async () => {
  const { project, connection, backup } = await setUp()
  project.add('default', ...rebuildUsers)
  const ids = new Set<string>()
  for (let start = 0; start < 3; start++) {
    const error = await connection
      .guarded(project.folder, { backup, onWarning() {} })
      .catch((thrown: MigrationRolledBackError) => thrown)
    ids.add(error.backupId ?? '')
  }
  const { items } = await backup.list('app')
  expect([ids.size, items.map(({ tier }) => tier).toSorted()]).toEqual([1, ['pre-migration', 'pre-restore']])
})

test.each(drivers.filter(({ name }) => name.startsWith('better-sqlite3')))(
  'code that is older than what was restored says so ($name)',
  async (driver) => {
    const project = makeProject(driver.layout)
    const { connection, backup } = await makeApp(driver, project)
    const old = join(project.dir, 'old code')
    cpSync(project.folder, old, { recursive: true })
    const tag = project.add('plan', 'ALTER TABLE `users` ADD `plan` text;')
    await connection.guarded(project.folder, { backup, onWarning() {} })
    await backup.backup('app')

    // Another machine, with the code of before: the newest backup, and nothing else.
    await connection.close()
    for (const suffix of ['', '-wal', '-shm']) rmSync(project.path + suffix, { force: true })
    await backup.restoreIfMissing()
    const restored = driver.open(project.path)
    onTestFinished(() => restored.close())
    const heard: string[] = []
    const { outcome, warnings } = await restored.guarded(old, { backup, onWarning: (text) => heard.push(text) })
    expect(outcome).toBe('nothing-pending')
    const known = driver.layout === 'folders' ? tag : '[0-9a-f]{64}'
    expect(warnings).toEqual([
      expect.stringMatching(new RegExp(`migrations that this code does not know: ${known}\\. .* newer than the code`)),
    ])
    expect(heard).toEqual(warnings)
  },
)

test('a database that is made by its first migrations is backed up with their name', async () => {
  const project = makeProject('journal')
  project.add('init', 'CREATE TABLE `users` (`id` integer PRIMARY KEY);')
  const tag = project.add('plan', 'ALTER TABLE `users` ADD `plan` text;')
  const { db } = connect(project.path)
  const backup = await engine({ app: project.path })
  const result = await migrateWithBackup(migrate, db, { migrationsFolder: project.folder }, { backup })
  expect(result).toMatchObject({ outcome: 'nothing-to-lose', applied: ['0000_init', tag] })
  expect((await backup.backup('app')).manifest?.source.migration).toBe(tag)
})

test('a transaction that the migrator leaves open is ended, and what was committed before it is rolled back', async () => {
  const { project, backup } = await setUp()
  project.add('plan', 'ALTER TABLE `users` ADD `plan` text;')
  const { db, client } = connect(project.path)
  const half = (): void =>
    void client.exec('ALTER TABLE users ADD plan text; BEGIN; DELETE FROM posts; PRAGMA user_version = 7')
  const options = { backup, onWarning() {} }
  await expect(migrateWithBackup(half, db, { migrationsFolder: project.folder }, options)).rejects.toMatchObject({
    code: 'MIGRATION_ROLLED_BACK',
    isRestored: true,
    reasons: ['It failed: The migrator left a transaction open.'],
  })
  expect([client.inTransaction, client.prepare('SELECT * FROM posts').all()]).toEqual([
    false,
    expect.objectContaining({ length: 3 }),
  ])
  expect(client.pragma('table_info(users)')).toHaveLength(2)
})

test('a table of another name is looked at, and is none of the rows that may be lost', async () => {
  const { project, backup } = await setUp()
  const { db, client } = connect(project.path)
  const config = { migrationsFolder: project.folder, migrationsTable: 'my migrations' }
  client.exec('DROP TABLE posts; DROP TABLE users')
  const first = await migrateWithBackup(migrate, db, config, { backup, onWarning() {} })
  expect(first.applied).toEqual(['0000_init'])
  expect((await migrateWithBackup(migrate, db, config, { backup })).outcome).toBe('nothing-pending')
})

test('a project that moves from Drizzle 0.45 to 1.0 has nothing pending, and goes on from there', async () => {
  const { project, backup } = await setUp()
  const { client } = connect(project.path)
  const later = makeProject('folders')
  later.add('init', "CREATE TABLE `users` (`id` integer PRIMARY KEY, `name` text DEFAULT 'a');")
  const db = drizzle1({ client })
  const config = { migrationsFolder: later.folder }
  expect((await migrateWithBackup(migrate1, db, config, { backup })).outcome).toBe('nothing-pending')
  const name = later.add('plan', 'ALTER TABLE `users` ADD `plan` text;')
  expect((await migrateWithBackup(migrate1, db, config, { backup, onWarning() {} })).applied).toEqual([name])
})

test('the database is the one whose file is open; another one, or one in memory, is refused', async () => {
  const { project } = await setUp()
  const { db } = connect(project.path)
  const tag = project.add('plan', 'ALTER TABLE `users` ADD `plan` text;')
  const config = { migrationsFolder: project.folder }
  const other = join(project.dir, 'other.db')
  const both = await engine({ other, app: project.path })
  await expect(migrateWithBackup(migrate, db, config, { backup: both, database: 'other' })).rejects.toMatchObject({
    code: 'USAGE',
  })
  await expect(migrateWithBackup(migrate, db, config, { backup: await engine({ other }) })).rejects.toMatchObject({
    code: 'USAGE',
  })
  const inMemory = connect(':memory:').db
  await expect(migrateWithBackup(migrate, inMemory, config, { backup: both })).rejects.toThrow(/in memory/)
  expect(await migrateWithBackup(migrate, db, config, { backup: both })).toMatchObject({
    database: 'app',
    applied: [tag],
  })
})

test('checks of the app run on its own connection and can roll back', async () => {
  const { project, connection, backup } = await setUp()
  project.add('rename', "UPDATE users SET name = 'same' WHERE id > 0;")
  const checkNames = async (): Promise<boolean> =>
    (await connection.value('SELECT count(DISTINCT name) FROM users')) === 2
  await expect(
    connection.guarded(project.folder, { backup, verify: [checkNames], onWarning() {} }),
  ).rejects.toMatchObject({ reasons: ['A check failed: checkNames gave false.'] })
  expect(await checkNames()).toBe(true)
})

test('a migration that commits by itself half-way and then fails is rolled back whole', async () => {
  const { project, connection, backup } = await setUp()
  project.add('commits', 'DELETE FROM posts WHERE id = 1;', 'COMMIT;', 'INSERT INTO nowhere VALUES (1);')
  await expect(connection.guarded(project.folder, { backup, onWarning() {} })).rejects.toMatchObject({
    code: 'MIGRATION_ROLLED_BACK',
    isRestored: true,
  })
  expect(await connection.value('SELECT count(*) FROM posts')).toBe(3)
})
