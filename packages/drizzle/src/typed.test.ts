import { DatabaseSync } from 'node:sqlite'
import type { SqliteBackup } from '@sqlite-backup/core'
import BetterSqlite from 'better-sqlite3'
import { drizzle as betterSqlite0 } from 'drizzle-orm/better-sqlite3'
import { migrate as migrateBetterSqlite0 } from 'drizzle-orm/better-sqlite3/migrator'
import { migrate as migrateLibsql0 } from 'drizzle-orm/libsql/migrator'
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'
import { drizzle as nodeSqlite1 } from 'drizzle-orm-1/node-sqlite'
import { migrate as migrateNodeSqlite1 } from 'drizzle-orm-1/node-sqlite/migrator'
import { expectTypeOf, test } from 'vitest'
import { type GuardResult, migrateWithBackup } from './index.ts'

const users = sqliteTable('users', { id: integer().primaryKey() })
const schema = { users }

test('the migrator’s own types are kept: its database, its options, its result', () => {
  const typed = (backup: SqliteBackup) => {
    const sync = betterSqlite0(new BetterSqlite(':memory:'), { schema })
    const one = nodeSqlite1({ client: new DatabaseSync(':memory:') })
    const folder = { migrationsFolder: './drizzle' }
    expectTypeOf(migrateWithBackup(migrateBetterSqlite0, sync, folder, { backup })).resolves.toEqualTypeOf<
      GuardResult<void>
    >()
    expectTypeOf(migrateWithBackup(migrateNodeSqlite1, one, folder, { backup }))
      .resolves.toHaveProperty('value')
      .toEqualTypeOf<ReturnType<typeof migrateNodeSqlite1>>()
    // @ts-expect-error: another driver's database
    migrateWithBackup(migrateLibsql0, sync, folder, { backup })
    // @ts-expect-error: an option that Drizzle does not have
    migrateWithBackup(migrateBetterSqlite0, sync, { folder: './drizzle' }, { backup })
    // @ts-expect-error: no engine
    migrateWithBackup(migrateBetterSqlite0, sync, folder, {})
  }
  expectTypeOf(typed).toBeFunction()
})
