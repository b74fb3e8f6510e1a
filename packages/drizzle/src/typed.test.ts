import { DatabaseSync } from 'node:sqlite'
import { createClient } from '@libsql/client'
import type { SqliteBackup } from '@sqlite-backup/core'
import BetterSqlite from 'better-sqlite3'
import { drizzle as betterSqlite0 } from 'drizzle-orm/better-sqlite3'
import { migrate as migrateBetterSqlite0 } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzle as libsql0 } from 'drizzle-orm/libsql'
import { migrate as migrateLibsql0 } from 'drizzle-orm/libsql/migrator'
import { integer, sqliteTable } from 'drizzle-orm/sqlite-core'
import { drizzle as betterSqlite1 } from 'drizzle-orm-1/better-sqlite3'
import { migrate as migrateBetterSqlite1 } from 'drizzle-orm-1/better-sqlite3/migrator'
import { drizzle as libsql1 } from 'drizzle-orm-1/libsql'
import { migrate as migrateLibsql1 } from 'drizzle-orm-1/libsql/migrator'
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
    const async0 = libsql0(createClient({ url: ':memory:' }), { schema })
    expectTypeOf(migrateWithBackup(migrateLibsql0, async0, folder, { backup })).resolves.toEqualTypeOf<
      GuardResult<void>
    >()
    const async1 = libsql1({ client: createClient({ url: ':memory:' }) })
    expectTypeOf(migrateWithBackup(migrateLibsql1, async1, folder, { backup }))
      .resolves.toHaveProperty('value')
      .toEqualTypeOf<Awaited<ReturnType<typeof migrateLibsql1>>>()
    const better1 = betterSqlite1({ client: new BetterSqlite(':memory:') })
    expectTypeOf(migrateWithBackup(migrateBetterSqlite1, better1, folder, { backup }))
      .resolves.toHaveProperty('value')
      .toEqualTypeOf<ReturnType<typeof migrateBetterSqlite1>>()
    // @ts-expect-error: another driver's database
    migrateWithBackup(migrateLibsql0, sync, folder, { backup })
    // @ts-expect-error: an option that Drizzle does not have
    migrateWithBackup(migrateBetterSqlite0, sync, { folder: './drizzle' }, { backup })
    // @ts-expect-error: no engine
    migrateWithBackup(migrateBetterSqlite0, sync, folder, {})
  }
  expectTypeOf(typed).toBeFunction()
})
