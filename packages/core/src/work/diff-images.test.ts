import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { diffImages } from './diff-images.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'diff images #1? %41 ü-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function image(name: string, sql: string): string {
  const file = join(dir, name)
  const database = new DatabaseSync(file)
  database.exec(sql)
  database.close()
  return file
}

const users =
  'CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE); CREATE INDEX users_name ON users(name);' +
  "INSERT INTO users WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) SELECT i, 'name ' || i FROM c;"

const untouched = { columnsGoing: [], columnsComing: [] }

test('rows that go, come back and change are told apart by the primary key', () => {
  const now = image(
    'now.db',
    `${users} DELETE FROM users WHERE id <= 100; UPDATE users SET name = upper(name) WHERE id > 1990;
     INSERT INTO users VALUES (5001, 'new'), (5002, 'new')`,
  )
  const after = image('after.db', users)
  expect(diffImages(now, after)).toEqual({
    isSame: false,
    objects: [],
    tables: [
      {
        name: 'users',
        now: 1902,
        after: 2000,
        schema: 'same',
        ...untouched,
        rowsGoing: 2,
        rowsChanging: 10,
        rowsComing: 100,
      },
    ],
  })
  expect(readdirSync(dir).sort()).toEqual(['after.db', 'now.db'])
})

test('keys of several columns, of text, and of tables without rowid', () => {
  const schema =
    'CREATE TABLE p(a TEXT, b INT, v, PRIMARY KEY (a, b)) WITHOUT ROWID; CREATE TABLE k(k TEXT PRIMARY KEY, v);'
  const now = image(
    'keys-now.db',
    `${schema} INSERT INTO p VALUES ('x', 1, 1), ('x', 2, 1); INSERT INTO k VALUES (NULL, 1), ('b', 1)`,
  )
  const after = image(
    'keys-after.db',
    `${schema} INSERT INTO p VALUES ('x', 1, 2); INSERT INTO k VALUES (NULL, 1), ('c', 1)`,
  )
  expect(diffImages(now, after).tables).toMatchObject([
    { name: 'k', rowsGoing: 1, rowsChanging: 0, rowsComing: 1 },
    { name: 'p', rowsGoing: 1, rowsChanging: 1, rowsComing: 0 },
  ])
})

test('keys of another type are other keys, and are not searched for one by one', () => {
  const now = image('typed-now.db', 'CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1), (2, 2)')
  const after = image('typed-after.db', "CREATE TABLE t(id TEXT PRIMARY KEY, v); INSERT INTO t VALUES ('u1', 1)")
  const [table] = diffImages(now, after).tables
  expect(table).toMatchObject({ name: 't', now: 2, after: 1, schema: 'changed' })
  expect(table?.rowsGoing).toBeUndefined()
})

test('the schema: tables, columns, indexes, triggers and views that differ', () => {
  const now = image(
    'schema-now.db',
    `CREATE TABLE gone(x); CREATE TABLE t(id INTEGER PRIMARY KEY, a, added); INSERT INTO t VALUES (1, 2, 3);
     CREATE INDEX t_added ON t(added); CREATE VIEW v AS SELECT a FROM t`,
  )
  const after = image(
    'schema-after.db',
    `CREATE TABLE came(x); CREATE TABLE t(id INTEGER PRIMARY KEY, a, dropped); INSERT INTO t VALUES (1, 2, 4);
     CREATE VIEW v AS SELECT id FROM t; CREATE TRIGGER r AFTER DELETE ON t BEGIN SELECT 1; END`,
  )
  const { tables, objects } = diffImages(now, after)
  expect(tables).toMatchObject([
    { name: 'came', now: null, after: 0, schema: 'comes' },
    { name: 'gone', now: 0, after: null, schema: 'goes' },
    {
      name: 't',
      schema: 'changed',
      columnsGoing: ['added'],
      columnsComing: ['dropped'],
      rowsGoing: 0,
      rowsChanging: 0,
    },
  ])
  expect(objects).toEqual([
    { type: 'index', name: 't_added', table: 't', schema: 'goes' },
    { type: 'trigger', name: 'r', table: 't', schema: 'comes' },
    { type: 'view', name: 'v', table: 'v', schema: 'changed' },
  ])
})

test('without a key there is what the counts say; what keeps a virtual table is no table of its own', () => {
  const now = image(
    'virtual-now.db',
    "CREATE TABLE log(line); INSERT INTO log VALUES ('a'); CREATE VIRTUAL TABLE f USING fts5(body)",
  )
  const after = image('virtual-after.db', 'CREATE TABLE log(line); CREATE VIRTUAL TABLE f USING fts5(body)')
  const { tables } = diffImages(now, after)
  expect(tables.map(({ name }) => name)).toEqual(['f', 'log'])
  expect(tables[1]).toEqual({ name: 'log', now: 1, after: 0, schema: 'same', ...untouched })
})

test('names that need quotes, and a collation that only the app has', () => {
  const file = image(
    'odd.db',
    `CREATE TABLE "it's ""odd"""("a b" PRIMARY KEY, "c""d"); INSERT INTO "it's ""odd""" VALUES (1, 2);
     CREATE TABLE words(id INTEGER PRIMARY KEY, word TEXT COLLATE NOCASE, other TEXT PRIMARY_KEY); INSERT INTO words VALUES (1, 'a', 'b')`,
  )
  const app = new BetterSqlite(file)
  app.unsafeMode(true)
  app.pragma('writable_schema = ON')
  app.exec("UPDATE sqlite_schema SET sql = replace(sql, 'NOCASE', 'german') WHERE name = 'words'")
  app.close()
  const after = image('odd-after.db', `CREATE TABLE "it's ""odd"""("a b" PRIMARY KEY, "c""d")`)
  const { tables } = diffImages(file, after)
  expect(tables).toMatchObject([
    { name: 'it\'s "odd"', now: 1, after: 0, rowsGoing: 1 },
    { name: 'words', now: 1, after: null, schema: 'goes' },
  ])
})

test('without a database all of it comes; equal ones are the same; what is no database is an error', () => {
  const after = image('alone.db', users)
  expect(diffImages(undefined, after)).toMatchObject({
    isSame: false,
    tables: [{ now: null, after: 2000, schema: 'comes' }],
  })
  expect(diffImages(after, after)).toMatchObject({
    isSame: true,
    tables: [{ rowsGoing: 0, rowsChanging: 0, rowsComing: 0 }],
  })
  const bad = join(dir, 'bad.db')
  writeFileSync(bad, 'this is not a database, however long the text may be'.repeat(100))
  expect(() => diffImages(bad, after)).toThrow(expect.objectContaining({ code: 'DATABASE_INVALID' }))
})
