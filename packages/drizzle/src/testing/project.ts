import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openBackup, type SqliteBackup } from '@sqlite-backup/core'
import { memory } from '@sqlite-backup/core/testing'
import { onTestFinished } from 'vitest'
import type { MigrationFolder } from '../read-migrations.ts'
import type { Connection, Driver } from './drivers.ts'

/** A project with a migrations folder that grows, and a database beside it. */
export interface Project {
  readonly dir: string
  readonly path: string
  readonly folder: string
  /** Adds the next migration; returns its name. */
  add(title: string, ...statements: readonly string[]): string
}

export function makeProject(layout: MigrationFolder['layout']): Project {
  const dir = mkdtempSync(join(tmpdir(), 'drizzle-guard-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const folder = join(dir, 'drizzle')
  let count = 0
  return {
    dir,
    path: join(dir, 'app.db'),
    folder,
    add(title, ...statements) {
      const sql = statements.join('--> statement-breakpoint\n')
      const index = count++
      if (layout === 'folders') {
        const name = `202601010000${String(index).padStart(2, '0')}_${title}`
        write(join(folder, name, 'migration.sql'), sql)
        return name
      }
      const tag = `${String(index).padStart(4, '0')}_${title}`
      write(join(folder, `${tag}.sql`), sql)
      const journal = join(folder, 'meta', '_journal.json')
      const entries = index === 0 ? [] : JSON.parse(readFileSync(journal, 'utf8')).entries
      entries.push({ idx: index, version: '6', when: Date.UTC(2026, 0, 1, 0, 0, index), tag, breakpoints: true })
      write(journal, JSON.stringify({ version: '7', dialect: 'sqlite', entries }))
      return tag
    },
  }
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

export interface App {
  readonly connection: Connection
  readonly backup: SqliteBackup
}

/** Users and posts that refer to them, migrated by Drizzle itself, with an engine beside. */
export async function makeApp(driver: Driver, project: Project): Promise<App> {
  project.add(
    'init',
    "CREATE TABLE `users` (`id` integer PRIMARY KEY, `name` text DEFAULT 'a');",
    'CREATE TABLE `posts` (`id` integer PRIMARY KEY, `user_id` integer REFERENCES `users`(`id`) ON DELETE cascade, `title` text);',
  )
  const connection = driver.open(project.path)
  onTestFinished(() => connection.close())
  await connection.exec('PRAGMA journal_mode = WAL')
  await connection.exec('PRAGMA foreign_keys = ON')
  await connection.migrate(project.folder)
  await connection.exec(
    "INSERT INTO users VALUES (1, 'x'), (2, 'y'); INSERT INTO posts VALUES (1, 1, 'p1'), (2, 1, 'p2'), (3, 2, 'p3')",
  )
  const backup = await openBackup({ databases: { app: project.path }, storages: { disk: memory() } })
  onTestFinished(() => backup.close())
  return { connection, backup }
}

/** What drizzle-kit writes when a column's default changes. */
export const rebuildUsers = [
  'PRAGMA foreign_keys=OFF;',
  "CREATE TABLE `__new_users` (`id` integer PRIMARY KEY, `name` text DEFAULT 'b');",
  'INSERT INTO `__new_users`("id", "name") SELECT "id", "name" FROM `users`;',
  'DROP TABLE `users`;',
  'ALTER TABLE `__new_users` RENAME TO `users`;',
  'PRAGMA foreign_keys=ON;',
] as const
