import type { LocalMigration } from './read-migrations.ts'

/** `-- sqlite-backup: allow-loss sessions, posts.author_id` on a line of a migration: what it may make fewer. */
export function allowedInFiles(migrations: readonly LocalMigration[]): readonly string[] {
  return migrations.flatMap(({ sql }) =>
    [...sql.matchAll(/^\s*--\s*sqlite-backup:\s*allow-loss\s+(.+?)\s*$/gim)].flatMap(([, names = '']) =>
      names.split(/\s*,\s*|\s+/).filter((name) => name !== ''),
    ),
  )
}
