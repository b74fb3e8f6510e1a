import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, onTestFinished, test } from 'vitest'
import { surveyImage } from '../work/survey-image.ts'
import { compareSurveys, type SurveyDifference } from './compare-surveys.ts'

/** What a script makes of a database, by the surveys of real images. */
function difference(made: string, migration: string): SurveyDifference {
  const dir = mkdtempSync(join(tmpdir(), 'compare-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const [file, image] = [join(dir, 'before.db'), join(dir, 'after.db')]
  const run = (path: string, sql: string): void => {
    const database = new Database(path)
    database.pragma('foreign_keys = OFF')
    database.exec(sql)
    database.close()
  }
  run(file, made)
  run(image, `${made} PRAGMA foreign_keys = ON; ${migration}`)
  const bookkeeping: readonly string[] = []
  const before = surveyImage(file, { bookkeeping })
  const since = { file, tables: before.tables, references: Object.keys(before.references) }
  return compareSurveys(before, surveyImage(image, { bookkeeping, since }), bookkeeping)
}

const users = "CREATE TABLE users(id INTEGER PRIMARY KEY, name); INSERT INTO users VALUES (1, 'a'), (2, 'b');"
const posts = `${users} CREATE TABLE posts(id INTEGER PRIMARY KEY, author REFERENCES users(id) ON DELETE SET NULL);
               INSERT INTO posts VALUES (1, 1), (2, 2);`
const rebuildUsers = `CREATE TABLE new_users(id INTEGER PRIMARY KEY, name DEFAULT 'x'); INSERT INTO new_users SELECT * FROM users;
                      DROP TABLE users; ALTER TABLE new_users RENAME TO users;`
const rebuildPosts = (action: string): string =>
  `CREATE TABLE new_posts(id INTEGER PRIMARY KEY, author ${action}); INSERT INTO new_posts SELECT * FROM posts;
   DROP TABLE posts; ALTER TABLE new_posts RENAME TO posts;`
const allLost = { table: 'posts', column: 'author', before: 2, after: 0 }

describe('references', () => {
  test('are lost when a table is rebuilt, also when their column has another name by then', () => {
    expect(difference(posts, rebuildUsers).lost).toEqual([allLost])
    expect(difference(posts, `ALTER TABLE posts RENAME author TO writer; ${rebuildUsers}`).lost).toEqual([allLost])
    // A column of before is nobody's new name, whatever it refers to now.
    const other = 'ALTER TABLE posts ADD editor; UPDATE posts SET editor = id;'
    const rebuilt = `CREATE TABLE p(id INTEGER PRIMARY KEY, writer REFERENCES users(id) ON DELETE SET NULL,
                                    editor REFERENCES users(id) ON DELETE SET NULL);
                     INSERT INTO p SELECT id, NULL, editor FROM posts; DROP TABLE posts; ALTER TABLE p RENAME TO posts;`
    expect(difference(`${posts} ${other}`, rebuilt).lost).toEqual([allLost])
  })

  test('of a column that has another name are not lost, in a table that has another name neither', () => {
    const renamed = 'ALTER TABLE posts RENAME author TO writer;'
    expect(difference(posts, renamed).lost).toEqual([])
    expect(
      difference(posts, `${renamed} ALTER TABLE posts ADD editor REFERENCES users ON DELETE SET NULL`).lost,
    ).toEqual([])
    expect(difference(posts, 'ALTER TABLE posts RENAME TO articles').lost).toEqual([])
  })

  test('are counted when a delete does something else from now on, or nothing refers there any more', () => {
    for (const action of ['REFERENCES users(id) ON DELETE CASCADE', 'REFERENCES users(id)', '']) {
      expect(difference(posts, rebuildPosts(action)).lost).toEqual([])
      expect(difference(posts, `${rebuildUsers} ${rebuildPosts(action)}`).lost).toEqual([allLost])
    }
  })

  test('of a column that is gone are told with it', () => {
    const { lost, gone } = difference(
      posts,
      `CREATE TABLE p AS SELECT id FROM posts; DROP TABLE posts;
      CREATE TABLE posts(id INTEGER PRIMARY KEY); INSERT INTO posts SELECT * FROM p; DROP TABLE p;`,
    )
    expect([lost, gone]).toEqual([[], ['posts has no author any more; what was in there is in the backup.']])
  })
})

describe('a table that is gone', () => {
  const tags = "CREATE TABLE tags(id INTEGER PRIMARY KEY, name); INSERT INTO tags VALUES (1, 'mine'), (2, NULL);"
  const countries = (rows: string): string =>
    `CREATE TABLE countries(id INTEGER PRIMARY KEY, name, code); INSERT INTO countries VALUES ${rows};`

  test('is lost though an unrelated new one has its columns, its ids and more rows', () => {
    const other = countries("(1, 'France', 'FR'), (2, 'Italy', 'IT'), (3, 'Spain', 'ES')")
    const { lost, moved } = difference(tags, `DROP TABLE tags; ${other}`)
    expect([lost, moved]).toEqual([[{ table: 'tags', before: 2, after: 0 }], []])
  })

  test('has moved where all of its rows are, not where as many are', () => {
    const other = countries("(1, 'France', 'FR'), (2, 'Italy', 'IT')")
    const { lost, moved } = difference(
      tags,
      `${other} ALTER TABLE tags RENAME TO labels; ALTER TABLE labels ADD colour; INSERT INTO labels VALUES (3, 'c', 'red')`,
    )
    expect([lost, moved]).toEqual([[], [{ from: 'tags', to: 'labels' }]])
  })

  test('has moved with its rows into a table with another primary key, or none', () => {
    for (const columns of ['id, name', 'id, name PRIMARY KEY', 'name, id']) {
      const copied = `CREATE TABLE labels(${columns}); INSERT INTO labels(id, name) SELECT id, name FROM tags; DROP TABLE tags;`
      expect(difference(tags, copied).moved).toEqual([{ from: 'tags', to: 'labels' }])
      expect(difference(tags, `${copied} UPDATE labels SET name = 'z' WHERE id = 1`).lost).toHaveLength(1)
    }
  })
})
