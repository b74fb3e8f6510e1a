import { describe, expect, test } from 'vitest'
import { findRisks, type Surroundings } from './find-risks.ts'
import { endsTransactions, splitSql } from './split-sql.ts'
import { rebuildUsers } from './testing/project.ts'

const usual: Surroundings = {
  foreignKeysOn: true,
  runsInTransaction: true,
  cutsAtBreakpoints: false,
  references: [
    { child: 'posts', parent: 'users', onDelete: 'CASCADE' },
    { child: 'notes', parent: 'Users', onDelete: 'SET NULL' },
    { child: 'audit', parent: 'users', onDelete: 'NO ACTION' },
  ],
  remedy: 'Turn them off before.',
}

function risks(sql: string, surroundings: Partial<Surroundings> = {}): readonly string[] {
  const migration = { name: '1', file: '1.sql', whenMs: 0, hash: '', sql }
  return findRisks([migration], { ...usual, ...surroundings }).map(
    ({ statement, message }) => `${statement} | ${message}`,
  )
}

describe('findRisks', () => {
  test('names the file, the pragma that is ignored and the table that is rebuilt, with those that refer to it', () => {
    const sql = rebuildUsers.join('--> statement-breakpoint\n')
    expect(risks(sql)).toEqual([
      expect.stringMatching(
        /^PRAGMA foreign_keys=OFF \| SQLite ignores it inside a transaction.* Turn them off before\.$/,
      ),
      'DROP TABLE `users` | The table is rebuilt under its own name. posts refers to it ON DELETE CASCADE: with foreign keys on, its rows go too. notes refers to it ON DELETE SET NULL: with foreign keys on, it forgets to whom.',
    ])
    expect(risks(sql, { runsInTransaction: false, foreignKeysOn: false })).toEqual([
      'DROP TABLE `users` | The table is rebuilt under its own name.',
    ])
  })

  test('names the first statement of each file that some drivers leave out', () => {
    const sql =
      "CREATE TABLE a(x);\n-- two\nINSERT INTO a VALUES ('; x'); SELECT 1--> statement-breakpoint\nDROP INDEX b;\n-- end"
    expect(risks(sql, { cutsAtBreakpoints: true })).toEqual([
      expect.stringMatching(/^INSERT INTO a VALUES \('; x'\) \| .* node:sqlite and libsql leave it out/),
    ])
    expect(risks('CREATE TABLE a(x);--> statement-breakpoint\nSELECT 1;', { cutsAtBreakpoints: true })).toEqual([])
  })

  test.each([
    ['DROP TABLE IF EXISTS main."old things"', 'The table goes, with every row in it.'],
    ['delete from users', 'It has no WHERE: every row of the table goes.'],
    ['WITH x AS (SELECT 1 WHERE 1) DELETE FROM users', 'It has no WHERE: every row of the table goes.'],
    ['UPDATE users SET a = (SELECT b FROM c WHERE c.id = 1)', 'It has no WHERE: every row of the table is changed.'],
    ["UPDATE users SET name = 'where'", 'It has no WHERE: every row of the table is changed.'],
    ['DELETE FROM users -- WHERE id = 1', 'It has no WHERE: every row of the table goes.'],
    ['ALTER TABLE users DROP COLUMN `name`', 'The column name goes, with all that is in it.'],
    ['ALTER TABLE users DROP name', 'The column name goes, with all that is in it.'],
    ['PRAGMA foreign_keys = 0', 'SQLite ignores it'],
  ])('finds %s', (statement, message) => {
    expect(risks(`CREATE TABLE a(x); ${statement};`)).toEqual([expect.stringContaining(`| ${message}`)])
  })

  test.each([
    'DELETE FROM users WHERE id = 1',
    'UPDATE users SET a = 1 WHERE b',
    'INSERT INTO a VALUES (1) ON CONFLICT DO UPDATE SET x = 1',
    'CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; UPDATE c SET x = CASE WHEN 1 THEN 2 END; END',
    'ALTER TABLE a ADD b REFERENCES users(id) ON DELETE CASCADE',
    'CREATE TABLE a(x REFERENCES users(id) ON UPDATE CASCADE ON DELETE CASCADE)',
    'DROP INDEX a',
    "INSERT INTO log VALUES ('DROP TABLE users; DELETE FROM users')",
    '/* DROP TABLE users; */ SELECT 1',
    'PRAGMA foreign_keys=ON',
    'PRAGMA foreign_keys',
    'CREATE TABLE "delete"("drop table" TEXT)',
  ])('finds nothing in %s', (statement) => {
    expect(risks(`${statement};`)).toEqual([])
  })
})

describe('splitSql', () => {
  test('ends a statement at its semicolon, not at those in strings, names, comments and triggers', () => {
    const sql = `
      SELECT 'a;''b', "c;d", [e;f], \`g;h\` -- i;j
      ; /* k;l */
      CREATE TEMP TRIGGER t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; DELETE FROM a; END;
      SELECT 2`
    expect(splitSql(sql).map(({ text }) => text.slice(0, 12))).toEqual(["SELECT 'a;''", 'CREATE TEMP ', 'SELECT 2'])
  })

  test('ends a statement where Drizzle cuts the file, with a semicolon or without', () => {
    const parts = ["UPDATE a SET x = ''", 'COMMIT', "SELECT 'b", "c'", 'UPDATE a SET x = 1 WHERE id = 7']
    const sql = parts.join('\n--> statement-breakpoint\n')
    expect(splitSql(sql).map(({ text }) => text)).toEqual(parts)
    expect(splitSql(parts.join(';--> statement-breakpoint '))).toHaveLength(parts.length)
    expect(endsTransactions(sql)).toBe(true)
    expect(risks(sql)).toEqual(["UPDATE a SET x = '' | It has no WHERE: every row of the table is changed."])
  })

  test('takes what is not closed as it comes', () => {
    expect(splitSql("SELECT 'open; SELECT 2")).toHaveLength(2)
    expect(splitSql('SELECT 1 /* open; SELECT 2')).toHaveLength(1)
    expect(splitSql('')).toEqual([])
  })
})
