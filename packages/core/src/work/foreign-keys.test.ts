import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { countForeignKeyViolations } from './foreign-keys.ts'

let database = new DatabaseSync(':memory:')
afterEach(() => {
  database.close()
  database = new DatabaseSync(':memory:')
})

function count(sql: string, table = 'child'): number {
  database.exec(`PRAGMA foreign_keys = OFF; ${sql}`)
  return countForeignKeyViolations(database, table)
}

function countByPragma(table = 'child'): number {
  return Number(database.prepare('SELECT count(*) AS n FROM pragma_foreign_key_check(?)').get(table)?.n)
}

describe('countForeignKeyViolations', () => {
  it.each([
    ['no foreign keys', 'CREATE TABLE child(x); INSERT INTO child VALUES (1)', 0],
    [
      'all there',
      'CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE child(p INTEGER REFERENCES p); INSERT INTO p VALUES (1); INSERT INTO child VALUES (1), (1), (NULL)',
      0,
    ],
    [
      'some not there',
      'CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE child(p INTEGER REFERENCES p(ID)); INSERT INTO p VALUES (1); INSERT INTO child VALUES (1), (2), (3), (NULL)',
      2,
    ],
    [
      'the parent table not there',
      'CREATE TABLE child(p INTEGER REFERENCES nowhere(id)); INSERT INTO child VALUES (1), (NULL)',
      1,
    ],
    [
      'a parent key of two columns',
      "CREATE TABLE p(a TEXT, b TEXT, PRIMARY KEY(a, b)); CREATE TABLE child(x TEXT, y TEXT, FOREIGN KEY(x, y) REFERENCES p); INSERT INTO p VALUES ('a', 'b'); INSERT INTO child VALUES ('a', 'b'), ('b', 'a'), ('a', NULL)",
      1,
    ],
    [
      'a unique column as the parent key',
      "CREATE TABLE p(code TEXT UNIQUE); CREATE TABLE child(p TEXT REFERENCES p(code)); INSERT INTO p VALUES ('x'); INSERT INTO child VALUES ('x'), ('y')",
      1,
    ],
    [
      'a collation of the parent',
      "CREATE TABLE p(code TEXT COLLATE NOCASE PRIMARY KEY); CREATE TABLE child(p TEXT REFERENCES p(code)); INSERT INTO p VALUES ('X'); INSERT INTO child VALUES ('x'), ('X'), ('y')",
      1,
    ],
    [
      'a collation of the child and its index',
      "CREATE TABLE p(code TEXT PRIMARY KEY); CREATE TABLE child(p TEXT COLLATE NOCASE REFERENCES p(code)); CREATE INDEX i ON child(p); INSERT INTO p VALUES ('X'); INSERT INTO child VALUES ('X'), ('x'), ('X')",
      1,
    ],
    [
      'columns of other types',
      "CREATE TABLE p(code TEXT PRIMARY KEY); CREATE TABLE child(p INTEGER REFERENCES p(code)); INSERT INTO p VALUES ('01'); INSERT INTO child VALUES (1)",
      1,
    ],
    [
      'a table that refers to itself',
      'CREATE TABLE child(id INTEGER PRIMARY KEY, up INTEGER REFERENCES child); INSERT INTO child VALUES (1, NULL), (2, 1), (3, 9)',
      1,
    ],
    [
      'two foreign keys',
      'CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE child(a INTEGER REFERENCES p, b INTEGER REFERENCES p); INSERT INTO child VALUES (1, 2), (NULL, 3)',
      3,
    ],
    [
      'odd names',
      'CREATE TABLE "p ""1"(" id" INTEGER PRIMARY KEY); CREATE TABLE child("p\'s" INTEGER REFERENCES "p ""1"); INSERT INTO child VALUES (7)',
      1,
    ],
  ])('agrees with SQLite: %s', (_name, sql, expected) => {
    expect(count(sql)).toBe(expected)
    expect(countByPragma()).toBe(expected)
  })

  it('throws a mismatch as SQLite does', () => {
    expect(() =>
      count('CREATE TABLE p(id); CREATE TABLE child(p REFERENCES p(id)); INSERT INTO child VALUES (1)'),
    ).toThrow(/mismatch/)
  })

  it('agrees with SQLite on any types and values', () => {
    const types = fc.constantFrom('INTEGER', 'TEXT', 'REAL', 'BLOB', '', 'NUMERIC', 'BIGINT', 'VARCHAR(10)')
    const values = fc.array(fc.constantFrom('1', "'1'", '1.0', "'1.0'", "'01'", "x'31'", 'NULL', '2', "'a'", "'A'"), {
      maxLength: 6,
    })
    const indexes = fc.constantFrom(
      '',
      'CREATE INDEX i ON child(c)',
      'CREATE INDEX i ON child(c COLLATE NOCASE)',
      'CREATE INDEX i ON child(c DESC) WHERE c > 1',
    )
    fc.assert(
      fc.property(types, types, values, values, indexes, (parentType, childType, parents, children, index) => {
        const run = new DatabaseSync(':memory:')
        run.exec(
          `PRAGMA foreign_keys = OFF; CREATE TABLE p(k ${parentType} PRIMARY KEY) WITHOUT ROWID;
           CREATE TABLE child(c ${childType} REFERENCES p(k)); ${index}`,
        )
        for (const value of parents) run.exec(`INSERT OR IGNORE INTO p VALUES (${value})`)
        for (const value of children) run.exec(`INSERT INTO child VALUES (${value})`)
        const expected = Number(run.prepare("SELECT count(*) AS n FROM pragma_foreign_key_check('child')").get()?.n)
        expect(countForeignKeyViolations(run, 'child')).toBe(expected)
        run.close()
      }),
      { numRuns: 300 },
    )
  })
})
