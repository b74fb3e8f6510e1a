import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { surveyImage } from './survey-image.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'survey-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

const bookkeeping = ['__drizzle_migrations', 'knex_migrations']

function image(name: string, sql: string): string {
  const file = join(dir, name)
  const database = new Database(file)
  database.pragma('foreign_keys = OFF')
  database.exec(sql)
  database.close()
  return file
}

const survey = (name: string, sql: string) => surveyImage(image(name, sql), { bookkeeping })

describe('surveyImage', () => {
  it('counts rows and names columns, without the shadow tables of virtual ones', () => {
    const { outcome, tables } = survey(
      'tables.db',
      `CREATE TABLE users(id INTEGER PRIMARY KEY, name, "first name" GENERATED ALWAYS AS (name));
       INSERT INTO users(name) VALUES ('a'), ('b');
       CREATE VIRTUAL TABLE notes USING fts5(text); INSERT INTO notes VALUES ('hello');`,
    )
    expect(outcome).toBe('ok')
    expect(tables).toEqual({
      users: { rows: 2, columns: ['id', 'name', 'first name'], rootPage: 2 },
      notes: { rows: 1, columns: ['text', 'notes', 'rank'], rootPage: 0 },
    })
  })

  it('counts references that a delete would quietly take away', () => {
    const { references } = survey(
      'references.db',
      `CREATE TABLE users(id INTEGER PRIMARY KEY);
       CREATE TABLE posts(author REFERENCES users(id) ON DELETE SET NULL, editor REFERENCES users(id) ON DELETE SET DEFAULT,
                          owner REFERENCES users(id) ON DELETE CASCADE);
       INSERT INTO users VALUES (1), (2); INSERT INTO posts VALUES (1, 1, 1), (2, 2, 1), (NULL, 2, 1);`,
    )
    expect(references).toEqual({ 'posts.author': 2, 'posts.editor': 2 })
  })

  it('counts rows that refer to nothing, by child and parent', () => {
    const { violations } = survey(
      'violations.db',
      `CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(a REFERENCES a(id)); CREATE TABLE c(a REFERENCES a(id));
       INSERT INTO b VALUES (1), (2); INSERT INTO c VALUES (NULL);`,
    )
    expect(violations).toEqual({ 'b → a': 2 })
    // Where one table's keys cannot be checked, those of the others are.
    const mismatched = survey(
      'mismatch.db',
      `CREATE TABLE a(id INTEGER PRIMARY KEY, x); CREATE TABLE b(x REFERENCES a(x)); CREATE TABLE c(a REFERENCES a(id));
       INSERT INTO b VALUES (1); INSERT INTO c VALUES (7);`,
    )
    expect(mismatched.violations).toEqual({ 'c → a': 1 })
  })

  it('reads the books of migrators, and leaves them out of the schema', () => {
    const plain = survey('plain.db', 'CREATE TABLE users(id)')
    const kept = survey(
      'books.db',
      `CREATE TABLE users(id);
       CREATE TABLE __drizzle_migrations(id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric);
       INSERT INTO __drizzle_migrations(hash, created_at) VALUES ('abc', 1);
       CREATE TABLE knex_migrations(id INTEGER PRIMARY KEY, name, batch);
       INSERT INTO knex_migrations(name) VALUES ('2.js'), ('1.js');
       CREATE UNIQUE INDEX knex_names ON knex_migrations(name);`,
    )
    expect(kept.migrations).toEqual({
      __drizzle_migrations: [{ hash: 'abc', createdAt: 1 }],
      knex_migrations: [{ name: '2.js' }, { name: '1.js' }],
    })
    expect(kept.schemaSha256).toBe(plain.schemaSha256)
    expect(survey('other.db', 'CREATE TABLE users(id, name)').schemaSha256).not.toBe(plain.schemaSha256)
  })

  it('reads books that have no rowid', () => {
    const file = image(
      'no-rowid.db',
      "CREATE TABLE books(name TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO books VALUES ('a')",
    )
    expect(surveyImage(file, { bookkeeping: ['books'] }).migrations).toEqual({ books: [{ name: 'a' }] })
  })

  it('names foreign keys, triggers and views', () => {
    const { foreignKeys, objects } = survey(
      'objects.db',
      `CREATE TABLE a(id INTEGER PRIMARY KEY); CREATE TABLE b(a REFERENCES a ON DELETE CASCADE, other REFERENCES b);
       CREATE VIEW v AS SELECT * FROM a; CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; END`,
    )
    expect(foreignKeys).toEqual(
      expect.arrayContaining([
        { child: 'b', parent: 'a', onDelete: 'CASCADE' },
        { child: 'b', parent: 'b', onDelete: 'NO ACTION' },
      ]),
    )
    expect(objects).toEqual({ t: 'trigger', v: 'view' })
  })

  it('calls content equal though its counters moved, and different when a row did', () => {
    const file = image('content.db', 'CREATE TABLE a(x); INSERT INTO a VALUES (1)')
    const before = surveyImage(file, { bookkeeping }).contentSha256
    const change = (sql: string): string => {
      const database = new Database(file)
      database.exec(sql)
      database.close()
      return surveyImage(file, { bookkeeping }).contentSha256
    }
    expect(change('PRAGMA journal_mode = WAL')).toBe(before)
    expect(change('PRAGMA schema_version = 77')).toBe(before)
    expect(change('UPDATE a SET x = 1')).toBe(before)
    expect(change('UPDATE a SET x = 2')).not.toBe(before)
  })

  describe('since an older image', () => {
    let count = 0
    /** What is told of `after`, made of the database that `before` makes. */
    function since(before: string, after: string) {
      const file = image(`since-${++count}.db`, before)
      const { tables } = surveyImage(file, { bookkeeping })
      const now = image(`now-${count}.db`, `${before}; ${after}`)
      return surveyImage(now, { bookkeeping, since: { file, tables, references: [] } })
    }
    const users =
      "CREATE TABLE users(id INTEGER PRIMARY KEY, name, bio); INSERT INTO users VALUES (1, 'a', 'x'), (2, 'b', 'y')"

    it('finds a table that ALTER TABLE renamed with its columns, by what is in it', () => {
      const { goneRows } = since(users, 'ALTER TABLE users RENAME TO people; ALTER TABLE people RENAME name TO title')
      expect(goneRows).toEqual({ users: { people: 0 } })
      const { goneRows: without } = since(users, 'ALTER TABLE users RENAME TO people; ALTER TABLE people DROP bio')
      expect(without).toEqual({ users: { people: 0 } })
      // In the very place of the one that is gone.
      const other = since(
        users,
        "DROP TABLE users; CREATE TABLE tags(id INTEGER PRIMARY KEY, label, x); INSERT INTO tags VALUES (1, 'p', 1), (2, 'q', 2)",
      )
      expect(other.goneRows).toEqual({ users: { tags: 2 } })
      const ids = since(
        users,
        'DROP TABLE users; CREATE TABLE ids(id INTEGER PRIMARY KEY); INSERT INTO ids VALUES (1), (2)',
      )
      expect(ids.goneRows).toEqual({})
    })

    it('finds renamed columns, and none that lost a value', () => {
      expect(since(users, 'ALTER TABLE users RENAME name TO Name').renamedColumns).toEqual({ users: { name: 'Name' } })
      expect(since(users, 'ALTER TABLE users RENAME id TO key').renamedColumns).toEqual({ users: { id: 'key' } })
      const other = since(
        users,
        'ALTER TABLE users DROP name; ALTER TABLE users ADD title; UPDATE users SET title = id',
      )
      expect(other.renamedColumns).toEqual({})
      const bare = 'CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 2), (1, 2), (NULL, 3)'
      expect(since(bare, 'ALTER TABLE t RENAME a TO c').renamedColumns).toEqual({ t: { a: 'c' } })
    })

    it('finds columns whose values are gone though the rows are there', () => {
      expect(since(users, "UPDATE users SET bio = NULL, name = 'z'").lostValues).toEqual({
        users: { name: { before: 2, after: 1 }, bio: { before: 2, after: 0 } },
      })
      expect(since(users, "UPDATE users SET bio = ''").lostValues).toEqual({ users: { bio: { before: 2, after: 0 } } })
      // Of the same value before, of none, of other ones now, or with fewer rows.
      const same = "CREATE TABLE t(a, b, c COLLATE NOCASE); INSERT INTO t VALUES (1, NULL, 'a'), (1, '', 'b')"
      expect(since(same, "UPDATE t SET a = 2, c = iif(c = 'a', 'A', 'a')").lostValues).toEqual({})
      expect(since(users, 'DELETE FROM users WHERE id = 1; UPDATE users SET bio = NULL').lostValues).toEqual({})
    })

    it('finds rows that are gone by their key in a table that has as many, or more', () => {
      expect(since(users, "DELETE FROM users WHERE id = 1; INSERT INTO users VALUES (9, 'a', 'x')").goneKeys).toEqual({
        users: 1,
      })
      expect(since(users, 'DELETE FROM users; INSERT INTO users(id) VALUES (7), (8), (9)').goneKeys).toEqual({
        users: 2,
      })
      expect(since(users, 'UPDATE users SET name = 1').goneKeys).toEqual({})
      // Keys of another type have no index that would find them: a million rows would be read a million times.
      const typed =
        "CREATE TABLE n(id TEXT PRIMARY KEY, name, bio); INSERT INTO n SELECT 'u' || id, name, bio FROM users; DROP TABLE users; ALTER TABLE n RENAME TO"
      expect(since(users, `${typed} users`).goneKeys).toEqual({})
      expect(since(users, `${typed} people`).goneRows).toEqual({ users: { people: 2 } })
    })
  })

  it('says that a damaged image is damaged, and counts what can be counted', () => {
    const file = image('damaged.db', 'CREATE TABLE a(x, y); CREATE INDEX a_x ON a(x); INSERT INTO a VALUES (1, 2)')
    const database = new Database(file)
    database.unsafeMode(true)
    database.pragma('writable_schema = ON')
    database.exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX a_x ON a(y)' WHERE name = 'a_x'")
    database.close()
    expect(surveyImage(file, { bookkeeping })).toMatchObject({ outcome: 'damaged', tables: { a: { rows: 1 } } })
    writeFileSync(file, 'no database at all')
    expect(surveyImage(file, { bookkeeping })).toMatchObject({ outcome: 'damaged', tables: {} })
  })
})
