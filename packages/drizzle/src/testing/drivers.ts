import { DatabaseSync } from 'node:sqlite'
import { createClient } from '@libsql/client'
import BetterSqlite from 'better-sqlite3'
import { drizzle as betterSqlite0 } from 'drizzle-orm/better-sqlite3'
import { migrate as migrateBetterSqlite0 } from 'drizzle-orm/better-sqlite3/migrator'
import { drizzle as libsql0 } from 'drizzle-orm/libsql'
import { migrate as migrateLibsql0 } from 'drizzle-orm/libsql/migrator'
import { drizzle as betterSqlite1 } from 'drizzle-orm-1/better-sqlite3'
import { migrate as migrateBetterSqlite1 } from 'drizzle-orm-1/better-sqlite3/migrator'
import { drizzle as libsql1 } from 'drizzle-orm-1/libsql'
import { migrate as migrateLibsql1 } from 'drizzle-orm-1/libsql/migrator'
import { drizzle as nodeSqlite1 } from 'drizzle-orm-1/node-sqlite'
import { migrate as migrateNodeSqlite1 } from 'drizzle-orm-1/node-sqlite/migrator'
import { type MigrateWithBackupOptions, migrateWithBackup } from '../migrate-with-backup.ts'
import type { MigrationFolder } from '../read-migrations.ts'

/** An app's connection through one driver of one version of Drizzle. */
export interface Connection {
  /** Drizzle's own, unguarded. */
  migrate(folder: string): unknown
  guarded(
    folder: string,
    options: MigrateWithBackupOptions,
  ): ReturnType<typeof migrateWithBackup<never, never, unknown>>
  exec(sql: string): Promise<void>
  rows(sql: string): Promise<readonly object[]>
  /** First column of the first row. */
  value(sql: string): Promise<unknown>
  close(): void
}

export interface Driver {
  readonly name: string
  readonly layout: MigrationFolder['layout']
  /** Rebuilding a table with foreign keys on empties the ones that refer to it. */
  readonly cascades: boolean
  open(path: string): Connection
}

export const drivers: readonly Driver[] = [
  {
    name: 'better-sqlite3, Drizzle 0.45',
    layout: 'journal',
    cascades: true,
    open(path) {
      const client = new BetterSqlite(path, { timeout: 10_000 })
      const db = betterSqlite0(client)
      return {
        migrate: (migrationsFolder) => migrateBetterSqlite0(db, { migrationsFolder }),
        guarded: (migrationsFolder, options) =>
          migrateWithBackup(migrateBetterSqlite0, db, { migrationsFolder }, options),
        ...overBetterSqlite(client),
      }
    },
  },
  {
    name: 'libsql, Drizzle 0.45',
    layout: 'journal',
    cascades: false,
    open(path) {
      const client = createClient({ url: `file:${path}` })
      const db = libsql0(client)
      return {
        migrate: (migrationsFolder) => migrateLibsql0(db, { migrationsFolder }),
        guarded: (migrationsFolder, options) => migrateWithBackup(migrateLibsql0, db, { migrationsFolder }, options),
        ...overLibsql(client),
      }
    },
  },
  {
    name: 'better-sqlite3, Drizzle 1.0',
    layout: 'folders',
    cascades: true,
    open(path) {
      const client = new BetterSqlite(path, { timeout: 10_000 })
      const db = betterSqlite1({ client })
      return {
        migrate: (migrationsFolder) => migrateBetterSqlite1(db, { migrationsFolder }),
        guarded: (migrationsFolder, options) =>
          migrateWithBackup(migrateBetterSqlite1, db, { migrationsFolder }, options),
        ...overBetterSqlite(client),
      }
    },
  },
  {
    name: 'node:sqlite, Drizzle 1.0',
    layout: 'folders',
    cascades: true,
    open(path) {
      const client = new DatabaseSync(path, { timeout: 10_000 })
      const db = nodeSqlite1({ client })
      return {
        migrate: (migrationsFolder) => migrateNodeSqlite1(db, { migrationsFolder }),
        guarded: (migrationsFolder, options) =>
          migrateWithBackup(migrateNodeSqlite1, db, { migrationsFolder }, options),
        exec: async (sql) => client.exec(sql),
        rows: async (sql) => client.prepare(sql).all(),
        value: async (sql) => Object.values(client.prepare(sql).get() ?? {})[0],
        close: () => client.close(),
      }
    },
  },
  {
    name: 'libsql, Drizzle 1.0',
    layout: 'folders',
    cascades: false,
    open(path) {
      const client = createClient({ url: `file:${path}` })
      const db = libsql1({ client })
      return {
        migrate: (migrationsFolder) => migrateLibsql1(db, { migrationsFolder }),
        guarded: (migrationsFolder, options) => migrateWithBackup(migrateLibsql1, db, { migrationsFolder }, options),
        ...overLibsql(client),
      }
    },
  },
]

function overBetterSqlite(client: BetterSqlite.Database): Pick<Connection, 'exec' | 'rows' | 'value' | 'close'> {
  return {
    exec: async (sql) => void client.exec(sql),
    rows: async (sql) => client.prepare<[], object>(sql).all(),
    value: async (sql) => client.prepare(sql).pluck().get(),
    close: () => void client.close(),
  }
}

function overLibsql(client: ReturnType<typeof createClient>): Pick<Connection, 'exec' | 'rows' | 'value' | 'close'> {
  return {
    exec: (sql) => client.executeMultiple(sql),
    rows: async (sql) => (await client.execute(sql)).rows,
    value: async (sql) => Object.values((await client.execute(sql)).rows[0] ?? {})[0],
    close: () => client.close(),
  }
}
