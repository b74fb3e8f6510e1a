// `guard --` around the real tools that people migrate with, as they come from npm.
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseJsonLines, runCli } from './testing/run-cli.ts'
import { type ToolProject, toolProject } from './testing/tool-project.ts'

const config = (...names: readonly string[]): string =>
  `export default { databases: { ${names.map((name) => `${name}: './${name}.db'`).join(', ')} }, storages: { local: './backups' } }`

const node = process.execPath
const kit = (...args: readonly string[]) => [node, 'node_modules/drizzle-kit/bin.cjs', ...args]

function kitProject(packages: Readonly<Record<string, string>>): ToolProject {
  const project = toolProject(packages)
  project.write('package.json', '{ "type": "module" }')
  project.write('sqlite-backup.config.mts', config('app'))
  project.write(
    'drizzle.config.ts',
    "export default { dialect: 'sqlite', schema: './schema.ts', out: './drizzle', dbCredentials: { url: './app.db' } }",
  )
  return project
}

/** Users, whose default changes, and posts that go with them. */
const schema = (name: string): string => `
  import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
  export const users = sqliteTable('users', { id: integer().primaryKey(), name: text().default('${name}') })
  export const posts = sqliteTable('posts', {
    id: integer().primaryKey(),
    userId: integer('user_id').references(() => users.id, { onDelete: 'cascade' }),
  })`

async function kitMigratedOnce(project: ToolProject): Promise<void> {
  project.write('schema.ts', schema('a'))
  await project.run(...kit('generate', '--name', 'init'))
  const first = await runCli(project.path, ['guard', '--', ...kit('migrate')])
  expect(first).toMatchObject({ exitCode: 0 })
  project.exec("INSERT INTO users VALUES (1, 'x'), (2, 'y'); INSERT INTO posts VALUES (1, 1), (2, 1), (3, 2)")
  project.write('schema.ts', schema('b'))
  await project.run(...kit('generate', '--name', 'default'))
}

describe('drizzle-kit migrate', () => {
  it.each([
    ['0.31', { 'drizzle-orm': 'drizzle-orm', 'drizzle-kit': 'drizzle-kit' }],
    ['1.0 rc', { 'drizzle-orm': 'drizzle-orm-1', 'drizzle-kit': 'drizzle-kit-1' }],
  ] as const)(
    '%s with better-sqlite3: warned of before, rolled back after, and named in the backup',
    async (_version, packages) => {
      using project = kitProject({ 'better-sqlite3': 'better-sqlite3', ...packages })
      await kitMigratedOnce(project)
      const { exitCode, stdout, stderr } = await runCli(project.path, ['guard', '--', ...kit('migrate')])
      expect({ exitCode, stdout }).toMatchObject({
        exitCode: 7,
        stdout: expect.stringContaining('posts lost all of its 3 rows.'),
      })
      expect(stderr).toMatch(/app: \S*_default\S*\.sql: PRAGMA foreign_keys=OFF — SQLite ignores it/)
      expect(stderr).toMatch(/DROP TABLE `users` — .*posts refers to it ON DELETE CASCADE/)
      expect([
        project.value('SELECT count(*) FROM posts'),
        project.value('SELECT count(*) FROM __drizzle_migrations'),
      ]).toEqual([3, 1])

      const tag = /(\d+_default)/.exec(stderr)?.[1] ?? ''
      const show = await runCli(project.path, ['show', `before-migration:${tag}`, '--json'])
      const { manifest } = parseJsonLines(show.stdout).last.result
      expect(manifest).toMatchObject({
        tier: 'pre-migration',
        beforeMigration: { pending: [tag] },
        source: { migration: expect.stringMatching(/^\d+_init$/) },
      })
      const output = ['--before-migration', tag, '-o', 'before.db']
      expect(await runCli(project.path, ['restore', ...output])).toMatchObject({ exitCode: 0 })
      expect(project.value('SELECT count(*) FROM posts', 'before.db')).toBe(3)
    },
  )

  it('with libsql, which turns foreign keys off by itself: kept, and not warned of', async () => {
    using project = kitProject({
      '@libsql/client': '@libsql/client',
      'drizzle-orm': 'drizzle-orm',
      'drizzle-kit': 'drizzle-kit',
    })
    await kitMigratedOnce(project)
    const { exitCode, stderr } = await runCli(project.path, ['guard', '--', ...kit('migrate')])
    expect({ exitCode, posts: project.value('SELECT count(*) FROM posts') }).toEqual({ exitCode: 0, posts: 3 })
    expect(stderr).toContain('The table is rebuilt under its own name.')
    expect(stderr).not.toContain('SQLite ignores it')
  })
})

describe('on several databases', () => {
  const knexfile = `module.exports = {
    client: 'better-sqlite3', connection: { filename: process.env.GUARD_FILE }, useNullAsDefault: true }`

  it('knex migrate:latest stops at the first that loses rows, and reports all', async () => {
    using project = toolProject({ knex: 'knex', 'better-sqlite3': 'better-sqlite3' })
    project.write('sqlite-backup.config.mts', config('a', 'b', 'c'))
    project.write('knexfile.cjs', knexfile)
    const add = (name: string, up: string): void =>
      project.write(`migrations/${name}.js`, `exports.up = async (knex) => { ${up} }\nexports.down = async () => {}`)
    add('1_init', "await knex.schema.createTable('posts', (t) => { t.integer('id'); t.boolean('draft') })")
    const latest = [node, 'node_modules/knex/bin/cli.js', 'migrate:latest', '--knexfile', 'knexfile.cjs']
    expect((await runCli(project.path, ['guard', '--all', '--', ...latest])).exitCode).toBe(0)
    for (const name of ['a', 'b', 'c']) project.exec('INSERT INTO posts VALUES (1, 0), (2, 0)', `${name}.db`)
    // Only b has a draft.
    project.exec('INSERT INTO posts VALUES (3, 1)', 'b.db')

    add('2_drafts', "await knex('posts').where({ draft: true }).del()")
    const { exitCode, stdout } = await runCli(project.path, ['guard', '--all', '--', ...latest])
    expect(exitCode).toBe(7)
    expect(stdout).toMatch(
      /✔ a migrated and kept[\s\S]*✖ b rolled back[\s\S]*posts lost 1 of 3 rows[\s\S]*· c was not run/,
    )
    const applied = ['a', 'b', 'c'].map((name) => project.value('SELECT count(*) FROM knex_migrations', `${name}.db`))
    expect(applied).toEqual([2, 1, 1])
  })

  it('kysely migrate latest is rolled back where it fails half-way', async () => {
    using project = toolProject({ kysely: 'kysely', 'kysely-ctl': 'kysely-ctl', 'better-sqlite3': 'better-sqlite3' })
    project.write('package.json', '{ "type": "module" }')
    project.write('sqlite-backup.config.mts', config('a', 'b'))
    project.write(
      'kysely.config.ts',
      `import Database from 'better-sqlite3'
       import { SqliteDialect } from 'kysely'
       import { defineConfig } from 'kysely-ctl'
       export default defineConfig({
         dialect: new SqliteDialect({ database: new Database(process.env.GUARD_FILE) }),
         migrations: { migrationFolder: 'migrations' },
       })`,
    )
    const add = (name: string, up: string): void =>
      project.write(
        `migrations/${name}.ts`,
        `import { sql } from 'kysely'\nexport async function up(db: any) { ${up} }`,
      )
    add('1_init', "await db.schema.createTable('posts').addColumn('id', 'integer').execute()")
    const latest = [node, 'node_modules/kysely-ctl/dist/bin.mjs', 'migrate:latest', '--no-outdated-check']
    expect(await runCli(project.path, ['guard', '--all', '--', ...latest])).toMatchObject({ exitCode: 0 })
    for (const name of ['a', 'b']) project.exec('INSERT INTO posts VALUES (1), (2)', `${name}.db`)
    add('2_half', 'await sql`DELETE FROM posts WHERE id = 1`.execute(db); await sql`SELECT nothing`.execute(db)')
    const { exitCode, stdout } = await runCli(project.path, ['guard', '--all', '--', ...latest])
    expect({ exitCode, stdout }).toMatchObject({
      exitCode: 7,
      stdout: expect.stringMatching(/✖ a rolled back[\s\S]*· b was not run/),
    })
    expect([
      project.value('SELECT count(*) FROM posts', 'a.db'),
      project.value('SELECT count(*) FROM posts', 'b.db'),
    ]).toEqual([2, 2])
  })
})

describe('prisma migrate deploy', () => {
  // Its JavaScript engine: the others are downloaded from Prisma's own server, and are none of npm's.
  it('is rolled back when it loses rows, and named in the backup', async () => {
    using project = toolProject({ prisma: 'prisma', '@prisma/adapter-libsql': '@prisma/adapter-libsql' })
    project.write('sqlite-backup.config.mts', config('app'))
    project.write('prisma/schema.prisma', 'datasource db {\n  provider = "sqlite"\n  url = "file:./app.db"\n}\n')
    project.write('prisma/migrations/migration_lock.toml', 'provider = "sqlite"\n')
    project.write(
      'prisma.config.ts',
      `import { PrismaLibSQL } from '@prisma/adapter-libsql'
       import { defineConfig } from 'prisma/config'
       export default defineConfig({
         experimental: { adapter: true }, engine: 'js', schema: 'prisma/schema.prisma',
         adapter: async () => new PrismaLibSQL({ url: 'file:' + process.env.GUARD_FILE }),
       })`,
    )
    const add = (name: string, sql: string): void => project.write(`prisma/migrations/${name}/migration.sql`, sql)
    add('20260101000000_init', 'CREATE TABLE "Post" ("id" INTEGER NOT NULL PRIMARY KEY, "title" TEXT);')
    // No engine is loaded, but Prisma fetches those that it does not find.
    project.write('none', '')
    const none = join(project.path, 'none')
    const env = { PRISMA_QUERY_ENGINE_LIBRARY: none, PRISMA_SCHEMA_ENGINE_BINARY: none, CHECKPOINT_DISABLE: '1' }
    const deploy = ['guard', '--', node, 'node_modules/prisma/build/index.js', 'migrate', 'deploy']
    expect(await runCli(project.path, deploy, { env })).toMatchObject({ exitCode: 0 })
    project.exec('INSERT INTO Post VALUES (1, NULL), (2, NULL)')

    add('20260102000000_clean', 'DELETE FROM "Post";')
    const { exitCode, stdout, stderr } = await runCli(project.path, deploy, { env })
    expect({ exitCode, stdout }).toMatchObject({
      exitCode: 7,
      stdout: expect.stringContaining('Post lost all of its 2 rows.'),
    })
    expect(stderr).toContain('20260102000000_clean/migration.sql: DELETE FROM "Post" — It has no WHERE')
    expect([
      project.value('SELECT count(*) FROM Post'),
      project.value('SELECT count(*) FROM _prisma_migrations'),
    ]).toEqual([2, 1])
    const show = await runCli(project.path, ['show', 'before-migration:20260102000000_clean', '--quiet'])
    expect(show.exitCode).toBe(0)
  })
})
