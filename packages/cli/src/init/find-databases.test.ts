import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, describe, expect, it } from 'vitest'
import { findDatabases, pathOf } from './find-databases.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function folderWith(...paths: readonly string[]): string {
  const dir = mkdtempSync(join(tmpdir(), 'init-'))
  folders.push(dir)
  for (const path of paths) {
    mkdirSync(join(dir, path, '..'), { recursive: true })
    const db = new Database(join(dir, path))
    db.exec('CREATE TABLE t (x)')
    db.close()
  }
  return dir
}

describe('findDatabases', () => {
  it('finds databases here and below, but not in node_modules, hidden or build folders', () => {
    const dir = folderWith(
      'app.db',
      'data/users.sqlite',
      'node_modules/x/cache.db',
      '.cache/a.db',
      'dist/b.db',
      'a/b/c/d/e.db',
    )
    writeFileSync(join(dir, 'notes.db'), 'not a database at all')
    expect(findDatabases(dir, { env: {} })).toMatchObject([
      { name: 'app', path: './app.db' },
      { name: 'users', path: './data/users.sqlite' },
    ])
  })

  it('says which variable named a database, and names it once', () => {
    const dir = folderWith('data/app.db')
    const found = findDatabases(dir, { env: { DATABASE_URL: 'file:./data/app.db?mode=rw' } })
    expect(found).toMatchObject([{ name: 'app', path: './data/app.db', from: 'DATABASE_URL' }])
  })

  it('knows copies by their names, but not what a variable names', () => {
    const dir = folderWith(
      'app.db',
      'restored.db',
      'app.restored.db',
      'app-copy.db',
      'copyright.db',
      'older.db',
      'bak.db',
    )
    const found = findDatabases(dir, { env: { DATABASE_URL: 'file:./bak.db' } })
    const copies = found.filter(({ isCopy }) => isCopy).map(({ path }) => path)
    expect(copies).toEqual(['./app-copy.db', './app.restored.db', './restored.db'])
  })

  it('gives each database a name of its own that is safe as part of a key', () => {
    const dir = folderWith('a/App.db', 'b/app.sqlite', 'Größe & Co.db')
    const names = findDatabases(dir, { env: {} }).map(({ name }) => name)
    expect(new Set(names).size).toBe(3)
    for (const name of names) expect(name).toMatch(/^[a-z0-9_-]+$/)
  })
})

describe('pathOf', () => {
  it.each([
    ['./data/app.db', './data/app.db'],
    ['file:./data/app.db', './data/app.db'],
    ['file:///data/app.db', '/data/app.db'],
    ['sqlite:///data/app.db', '/data/app.db'],
    ['sqlite://./app.db', './app.db'],
    ['postgres://user@host/db', undefined],
    ['libsql://db.turso.io', undefined],
    [':memory:', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('reads %s as %s', (value, path) => {
    expect(pathOf(value)).toBe(path)
  })
})
