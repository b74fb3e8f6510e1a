import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { openBackup } from '@sqlite-backup/core'
import { memory } from '@sqlite-backup/core/testing'
import BetterSqlite from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { migrate } from 'drizzle-orm/better-sqlite3/migrator'
import { expect, onTestFinished, test } from 'vitest'
import { migrateWithBackup } from './migrate-with-backup.ts'

const modules = join(import.meta.dirname, '..', 'node_modules')

/** A project whose migrations drizzle-kit itself writes. */
function setUp() {
  const dir = mkdtempSync(join(tmpdir(), 'drizzle-kit-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  symlinkSync(modules, join(dir, 'node_modules'))
  writeFileSync(
    join(dir, 'drizzle.config.ts'),
    "export default { dialect: 'sqlite', schema: './schema.ts', out: './drizzle' }",
  )
  const generate = async (name: string, tables: string): Promise<void> => {
    const imports = "import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'"
    writeFileSync(join(dir, 'schema.ts'), `${imports}\n${tables}`)
    await promisify(execFile)(process.execPath, [join(modules, 'drizzle-kit', 'bin.cjs'), 'generate', '--name', name], {
      cwd: dir,
    })
  }
  return { dir, generate }
}

const tables = (name: string, onDelete: string, more = ''): string => `
  export const users = sqliteTable('users', { id: integer().primaryKey(), name: ${name} })
  export const posts = sqliteTable('posts', {
    id: integer().primaryKey(),
    userId: integer('user_id').references(() => users.id, { onDelete: '${onDelete}' }),
  })
  ${more}`

test.each([
  ['cascade', [{ table: 'posts', before: 3, after: 0 }]],
  ['set null', [{ table: 'posts', column: 'user_id', before: 3, after: 0 }]],
] as const)(
  'what drizzle-kit generates for a changed default loses posts (%s), unless guarded',
  async (onDelete, lost) => {
    const { dir, generate } = setUp()
    await generate('init', tables("text().default('a')", onDelete))
    const path = join(dir, 'app.db')
    const client = new BetterSqlite(path)
    const db = drizzle(client)
    await using backup = await openBackup({ databases: { app: path }, storages: { disk: memory() } })
    const options = { backup, onWarning() {} }
    const folder = { migrationsFolder: join(dir, 'drizzle') }
    expect(await migrateWithBackup(migrate, db, folder, options)).toMatchObject({ applied: ['0000_init'] })
    client.exec("INSERT INTO users VALUES (1, 'x'), (2, 'y'); INSERT INTO posts VALUES (1, 1), (2, 1), (3, 2)")

    await generate('default', tables("text().default('b')", onDelete))
    await expect(migrateWithBackup(migrate, db, folder, options)).rejects.toMatchObject({ lost })
    const counts = client.prepare('SELECT count(*), count(user_id) FROM posts').raw()
    expect(counts.get()).toEqual([3, 3])

    const disarmed = { ...options, disarmForeignKeys: true }
    expect(await migrateWithBackup(migrate, db, folder, disarmed)).toMatchObject({ applied: ['0001_default'] })
    expect(counts.get()).toEqual([3, 3])

    // More that is generated: a new table with an index; then that table and a column go.
    const extra = "export const tags = sqliteTable('tags', { id: integer().primaryKey(), tag: text().unique() })"
    await generate('more', tables("text().default('b')", onDelete, extra))
    await generate('less', tables('', onDelete).replace('name: ', ''))
    const result = await migrateWithBackup(migrate, db, folder, disarmed)
    expect(result.applied).toEqual(['0002_more', '0003_less'])
    expect(counts.get()).toEqual([3, 3])
    client.close()
  },
)
