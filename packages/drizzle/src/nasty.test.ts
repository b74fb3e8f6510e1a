import type { GuardResult, MigrationRolledBackError } from '@sqlite-backup/core'
import { describe, expect, test } from 'vitest'
import { type Connection, drivers } from './testing/drivers.ts'
import { makeApp, makeProject, rebuildUsers } from './testing/project.ts'

const chosen = drivers.filter(({ name }) => ['better-sqlite3, Drizzle 0.45', 'node:sqlite, Drizzle 1.0'].includes(name))

interface Outcome {
  readonly outcome?: string
  readonly warnings: readonly string[]
  /** Of a roll-back. */
  readonly error?: MigrationRolledBackError
  readonly connection: Connection
}

describe.each(chosen)('$name', (driver) => {
  /** An app whose database has `before` as well, and the migrations that come next. */
  async function migrated(
    before: string,
    migrations: readonly (readonly string[])[],
    options: { readonly disarmForeignKeys?: boolean; readonly allowLoss?: readonly string[] } = {},
  ): Promise<Outcome> {
    const project = makeProject(driver.layout)
    const { connection, backup } = await makeApp(driver, project)
    await connection.exec(before)
    migrations.forEach((statements, index) => {
      project.add(`step${index}`, ...statements)
    })
    const warnings: string[] = []
    const run = connection.guarded(project.folder, { backup, onWarning: (text) => warnings.push(text), ...options })
    return run.then(
      ({ outcome }: GuardResult<unknown>): Outcome => ({ outcome, warnings, connection }),
      (error: MigrationRolledBackError): Outcome => ({ error, warnings, connection }),
    )
  }

  const values = async (connection: Connection, ...queries: readonly string[]): Promise<readonly unknown[]> => {
    const found: unknown[] = []
    for (const query of queries) found.push(await connection.value(query))
    return found
  }
  const posts = 'SELECT count(*) FROM posts'
  const applied = 'SELECT count(*) FROM __drizzle_migrations'

  test('three at once, of which the third loses rows: none of them is left', async () => {
    const { error, connection } = await migrated('', [
      ['CREATE TABLE tags (id integer PRIMARY KEY);', 'INSERT INTO tags VALUES (1);'],
      ['ALTER TABLE posts ADD likes integer DEFAULT 0;'],
      rebuildUsers,
    ])
    expect(error).toMatchObject({ lost: [{ table: 'posts', before: 3, after: 0 }] })
    expect(error?.pending).toHaveLength(3)
    expect(await values(connection, posts, applied, "SELECT count(*) FROM sqlite_master WHERE name = 'tags'")).toEqual([
      3, 1, 0,
    ])
  })

  test('a cascade into a table without rowid, and on through another one', async () => {
    const { error, connection } = await migrated(
      `CREATE TABLE likes (post integer REFERENCES posts(id) ON DELETE CASCADE, who text, PRIMARY KEY (post, who)) WITHOUT ROWID;
       INSERT INTO likes VALUES (1, 'a'), (1, 'b'), (3, 'a')`,
      [rebuildUsers],
    )
    expect(error?.lost).toEqual([
      { table: 'likes', before: 3, after: 0 },
      { table: 'posts', before: 3, after: 0 },
    ])
    expect(await values(connection, posts, 'SELECT count(*) FROM likes')).toEqual([3, 3])
  })

  test('a view on the rebuilt table, which makes the migration fail', async () => {
    const { error, connection } = await migrated('CREATE VIEW names AS SELECT name FROM users', [rebuildUsers])
    expect(error?.reasons.join()).toMatch(/It failed: [\s\S]*error in view names/)
    expect(await values(connection, posts, applied, 'SELECT count(*) FROM names')).toEqual([3, 1, 2])
  })

  test('a trigger on the rebuilt table, which goes with it: told', async () => {
    const { outcome, warnings, connection } = await migrated(
      `CREATE TABLE log (n);
       CREATE TRIGGER users_log AFTER INSERT ON users BEGIN INSERT INTO log VALUES (new.id); DELETE FROM log WHERE n < 0; END`,
      [rebuildUsers],
      { disarmForeignKeys: true },
    )
    expect(outcome).toBe('kept')
    expect(warnings).toContain('There is no trigger users_log any more.')
    expect(await values(connection, posts)).toEqual([3])
  })

  test('generated columns, a strict table, names that have to be quoted', async () => {
    const { outcome, connection } = await migrated(
      `CREATE TABLE "order ""items"".x" (id integer PRIMARY KEY, "un it" real, n integer,
         total real GENERATED ALWAYS AS ("un it" * n) STORED, half real AS (total / 2)) STRICT;
       INSERT INTO "order ""items"".x" (id, "un it", n) VALUES (1, 2, 3), (2, 4, 5)`,
      [
        [
          'CREATE TABLE `__new` (id integer PRIMARY KEY, `un it` real NOT NULL, n integer, total real GENERATED ALWAYS AS (`un it` * n) VIRTUAL) STRICT;',
          'INSERT INTO `__new`(id, `un it`, n) SELECT id, `un it`, n FROM `order "items".x`;',
          'DROP TABLE `order "items".x`;',
          'ALTER TABLE `__new` RENAME TO `order "items".x`;',
        ],
      ],
    )
    expect(outcome).toBe('kept')
    expect(await values(connection, 'SELECT sum(total) FROM "order ""items"".x"')).toEqual([26])
  })

  test('a full-text index beside its table: rebuilt, kept; emptied, rolled back', async () => {
    const fts = `CREATE VIRTUAL TABLE search USING fts5(title); INSERT INTO search(rowid, title) SELECT id, title FROM posts;
      CREATE VIRTUAL TABLE outside USING fts5(title, content='posts', content_rowid='id'); INSERT INTO outside(outside) VALUES ('rebuild');
      CREATE VIRTUAL TABLE bare USING fts5(title, content=''); INSERT INTO bare(rowid, title) VALUES (1, 'p1')`
    const kept = await migrated(fts, [
      ["INSERT INTO search(search) VALUES ('optimize');", "INSERT INTO outside(outside) VALUES ('rebuild');"],
      ['ALTER TABLE posts ADD likes integer;', '-- sqlite-backup: allow-loss bare\nDROP TABLE bare;'],
    ])
    expect(kept).toMatchObject({ outcome: 'kept' })
    expect(await values(kept.connection, "SELECT count(*) FROM outside WHERE outside MATCH 'p2'")).toEqual([1])
    const { error, connection } = await migrated(fts, [["DELETE FROM search WHERE search MATCH 'p1';"]])
    expect(error?.lost).toEqual([{ table: 'search', before: 3, after: 2 }])
    expect(await values(connection, "SELECT count(*) FROM search WHERE search MATCH 'p1'")).toEqual([1])
  })

  test('foreign keys that were broken before, in tables that are renamed, are no reason to go back', async () => {
    const { outcome, warnings, connection } = await migrated(
      'PRAGMA foreign_keys = OFF; INSERT INTO posts VALUES (9, 99, NULL); PRAGMA foreign_keys = ON',
      [['ALTER TABLE posts RENAME TO articles;'], ['ALTER TABLE users RENAME COLUMN name TO full_name;']],
    )
    expect(outcome).toBe('kept')
    expect(warnings).toContain('The rows of posts are in articles now.')
    expect(await values(connection, 'SELECT count(*) FROM articles', applied)).toEqual([4, 3])
  })

  test('a dropped column is told before and after', async () => {
    const { outcome, warnings } = await migrated('', [['ALTER TABLE `posts` DROP COLUMN `title`;']])
    expect([outcome, warnings]).toEqual([
      'kept',
      [
        expect.stringMatching(/DROP COLUMN `title` — The column title goes/),
        'posts has no title any more; what was in there is in the backup.',
      ],
    ])
  })

  test('rows that a trigger of the app deletes while the migration updates others', async () => {
    const { error, connection } = await migrated(
      'CREATE TRIGGER tidy AFTER UPDATE ON users BEGIN DELETE FROM posts WHERE user_id = new.id AND id > 1; END',
      [["UPDATE users SET name = 'z' WHERE id = 1;"]],
    )
    expect(error?.lost).toEqual([{ table: 'posts', before: 3, after: 2 }])
    expect(await values(connection, posts)).toEqual([3])
  })

  test('a constraint that the rows do not keep fails, and leaves everything as it was', async () => {
    const { error, connection } = await migrated("UPDATE users SET name = 'same'", [
      ['DELETE FROM posts WHERE id = 3;', 'CREATE UNIQUE INDEX users_name ON users(name);'],
    ])
    expect(error).toMatchObject({ isRestored: false, lost: [] })
    expect(await values(connection, posts, applied)).toEqual([3, 1])
  })
})
