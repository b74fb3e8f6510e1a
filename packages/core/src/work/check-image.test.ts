import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { checkImage } from './check-image.ts'

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'check image #1? %41 ü-'))
})
afterAll(() => rmSync(dir, { recursive: true }))

function image(name: string, sql: string): string {
  const file = join(dir, name)
  const database = new DatabaseSync(file)
  database.exec(sql)
  database.close()
  return file
}

const rows =
  "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 2000) INSERT INTO users SELECT i, 'name ' || i FROM c;"
const users = `CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT); CREATE INDEX users_name ON users(name); ${rows}`

describe('checkImage', () => {
  it('finds a whole image ok and counts its rows', () => {
    const file = image('whole.db', `${users} PRAGMA user_version = 7`)
    for (const depth of ['quick', 'full'] as const) {
      const report = checkImage(file, { depth, rowCounts: true })
      expect(report).toMatchObject({
        outcome: 'ok',
        messages: [],
        foreignKeyViolations: 0,
        tables: { users: 2000 },
        pageSize: 4096,
        userVersion: 7,
      })
      expect(report.pageCount * 4096).toBe(readFileSync(file).length)
      expect(report.schemaHash).toMatch(/^[0-9a-f]{64}$/)
    }
  })

  it('leaves nothing beside an image whose header says WAL, and does not change it', () => {
    const file = image('wal.db', `PRAGMA journal_mode = WAL; ${users}`)
    const before = readFileSync(file)
    expect(before.subarray(18, 20)).toEqual(Buffer.from([2, 2]))
    expect(checkImage(file, { depth: 'full', rowCounts: true })).toMatchObject({
      outcome: 'ok',
      tables: { users: 2000 },
    })
    expect(readdirSync(dir).filter((name) => name.startsWith('wal.db'))).toEqual(['wal.db'])
    expect(readFileSync(file).equals(before)).toBe(true)
  })

  it('finds a damaged page', () => {
    const file = image('damaged.db', users)
    const bytes = readFileSync(file)
    bytes.fill(0xa5, 4 * 4096, 6 * 4096)
    writeFileSync(file, bytes)
    const report = checkImage(file, { depth: 'quick', rowCounts: false })
    expect(report.outcome).toBe('damaged')
    expect(report.messages.length).toBeGreaterThan(0)
    expect(report.tables).toBeUndefined()
  })

  it('finds rows that an index does not have, with the full check only', () => {
    const file = image('index.db', users)
    const writer = new BetterSqlite(file)
    writer.unsafeMode(true)
    writer.pragma('writable_schema = ON')
    writer.exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX users_name ON users(id)' WHERE name = 'users_name'")
    writer.close()
    expect(checkImage(file, { depth: 'full', rowCounts: false }).outcome).toBe('damaged')
  })

  it('finds a cut image damaged', () => {
    const file = image('cut.db', users)
    truncateSync(file, 5 * 4096)
    expect(checkImage(file, { depth: 'quick', rowCounts: true }).outcome).toBe('damaged')
  })

  it('finds something that is no database damaged', () => {
    const file = join(dir, 'text.db')
    writeFileSync(file, 'Dear reader, this is a letter. '.repeat(500))
    expect(checkImage(file, { depth: 'quick', rowCounts: true })).toMatchObject({
      outcome: 'damaged',
      messages: [expect.stringContaining('file is not a database')],
      pageSize: 0,
      pageCount: 0,
    })
  })

  it('says that there is no file', () => {
    expect(() => checkImage(join(dir, 'nowhere.db'), { depth: 'quick', rowCounts: true })).toThrow(/no image/)
    expect(existsSync(join(dir, 'nowhere.db'))).toBe(false)
  })

  it('counts foreign-key violations and calls the image ok', () => {
    const file = image(
      'fk.db',
      `PRAGMA foreign_keys = OFF; CREATE TABLE a(id INTEGER PRIMARY KEY);
       CREATE TABLE b(a INTEGER REFERENCES a(id)); INSERT INTO b VALUES (1), (2), (NULL);`,
    )
    expect(checkImage(file, { depth: 'quick', rowCounts: true })).toMatchObject({
      outcome: 'ok',
      foreignKeyViolations: 2,
      tables: { a: 0, b: 3 },
    })
  })

  it('passes over a foreign key whose parent has no unique index', () => {
    const file = image(
      'mismatch.db',
      'PRAGMA foreign_keys = OFF; CREATE TABLE a(id); CREATE TABLE b(a REFERENCES a(id)); INSERT INTO b VALUES (1);',
    )
    expect(checkImage(file, { depth: 'quick', rowCounts: true })).toMatchObject({
      outcome: 'ok',
      foreignKeyViolations: 0,
    })
  })

  describe('on an image that needs the app', () => {
    it('does not know about an index on a function of the app, and counts all the same', () => {
      const file = join(dir, 'function.db')
      const app = new BetterSqlite(file)
      app.function('shout', { deterministic: true }, (text: unknown) => `${text}!`)
      app.exec(
        `${users} CREATE TABLE words(word); CREATE INDEX loud ON words(shout(word)); INSERT INTO words VALUES ('a');`,
      )
      app.close()
      const report = checkImage(file, { depth: 'full', rowCounts: true })
      expect(report).toMatchObject({ outcome: 'unknown', tables: { users: 2000, words: 1 } })
      expect(report.messages.join()).toContain('shout')
    })

    it('does not know about a collation of the app, and counts all the same', () => {
      const file = withForeignCollation('collation.db')
      const report = checkImage(file, { depth: 'quick', rowCounts: true })
      expect(report).toMatchObject({ outcome: 'unknown', tables: { users: 2000, words: 1 } })
      expect(report.messages.join()).toContain('german')
    })

    it('still finds damage in another table', () => {
      const file = withForeignCollation('collation-and-damage.db')
      const bytes = readFileSync(file)
      bytes.fill(0xa5, 4 * 4096, 6 * 4096)
      writeFileSync(file, bytes)
      expect(checkImage(file, { depth: 'quick', rowCounts: false }).outcome).toBe('damaged')
    })

    it('does not know about a virtual table whose module the app has', () => {
      const file = join(dir, 'module.db')
      const app = new BetterSqlite(file)
      app.exec(users)
      app.unsafeMode(true)
      app.pragma('writable_schema = ON')
      app.exec(
        "INSERT INTO sqlite_schema VALUES ('table', 'vectors', 'vectors', 0, 'CREATE VIRTUAL TABLE vectors USING app_vectors(a)')",
      )
      app.close()
      const report = checkImage(file, { depth: 'full', rowCounts: true })
      expect(report).toMatchObject({ outcome: 'unknown', tables: { users: 2000 } })
      expect(report.messages.join()).toContain('app_vectors')
    })
  })

  it('checks and counts full-text tables', () => {
    const file = image(
      'fts.db',
      "CREATE VIRTUAL TABLE notes USING fts5(text); INSERT INTO notes VALUES ('hello'), ('world');",
    )
    expect(checkImage(file, { depth: 'full', rowCounts: true })).toMatchObject({ outcome: 'ok', tables: { notes: 2 } })
  })

  it('hashes the schema, not the content', () => {
    const hashOf = (name: string, sql: string): string =>
      checkImage(image(name, sql), { depth: 'quick', rowCounts: false }).schemaHash
    const first = hashOf('h1.db', 'CREATE TABLE a(x)')
    expect(hashOf('h2.db', 'CREATE TABLE a(x); INSERT INTO a VALUES (1)')).toBe(first)
    expect(hashOf('h3.db', 'CREATE TABLE a(x, y)')).not.toBe(first)
  })

  function withForeignCollation(name: string): string {
    const file = image(
      name,
      `${users} CREATE TABLE words(word TEXT); CREATE INDEX word ON words(word COLLATE NOCASE); INSERT INTO words VALUES ('a')`,
    )
    const app = new BetterSqlite(file)
    app.unsafeMode(true)
    app.pragma('writable_schema = ON')
    app.exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX word ON words(word COLLATE german)' WHERE name = 'word'")
    app.close()
    return file
  }
})
