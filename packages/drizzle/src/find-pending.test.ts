import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { findPending, readApplied } from './find-pending.ts'
import { type LocalMigration, readMigrations } from './read-migrations.ts'
import { drivers } from './testing/drivers.ts'
import { makeProject } from './testing/project.ts'

const local = (name: string, whenMs: number): LocalMigration => ({
  name,
  file: `${name}.sql`,
  whenMs,
  hash: `#${name}`,
  sql: '',
})

describe('findPending', () => {
  test('in a journal: all that is later than the newest row', () => {
    const folder = {
      layout: 'journal',
      migrations: [local('a', 1), local('b', 3), local('c', 2), local('d', 5)],
    } as const
    const rows = [1, 3].map((createdAt) => ({ hash: '#', createdAt }))
    expect(findPending(folder, rows)).toMatchObject({ pending: [{ name: 'd' }], unknown: [] })
    expect(findPending(folder, []).pending).toEqual(folder.migrations)
    // The database knows a later one: this code is older.
    expect(findPending(folder, [...rows, { hash: 'newer', createdAt: 9 }])).toEqual({ pending: [], unknown: ['newer'] })
  })

  test('in folders: every name that has no row, whatever its time', () => {
    fc.assert(
      fc.property(fc.subarray(['a', 'b', 'c', 'd']), fc.subarray(['a', 'b', 'c', 'd']), (names, done) => {
        const migrations = names.map((name, at) => local(name, at * 1000))
        const applied = done.map((name) => ({ hash: `#${name}`, createdAt: 0, name }))
        const { pending, unknown } = findPending({ layout: 'folders', migrations }, applied)
        expect(pending.map(({ name }) => name)).toEqual(names.filter((name) => !done.includes(name)))
        expect(unknown).toEqual(done.filter((name) => !names.includes(name)))
      }),
    )
  })

  test('in folders, with rows that Drizzle 0.x wrote: by their second, else by their hash', () => {
    const migrations = [local('a', 1000), local('b', 2000), local('c', 2000), local('d', 9000)]
    const rows = [
      { hash: 'edited since', createdAt: 1234 },
      { hash: '#c', createdAt: 2345 },
    ]
    const { pending, unknown } = findPending({ layout: 'folders', migrations }, rows)
    expect([pending.map(({ name }) => name), unknown]).toEqual([['b', 'd'], []])
  })
})

describe.each(drivers)('what is pending with $name', (driver) => {
  test('is what its migrator applies, and looking changes nothing', async () => {
    const project = makeProject(driver.layout)
    const connection = driver.open(project.path)
    const db = { all: (sql: string) => connection.rows(sql), run: (sql: string) => connection.exec(sql) }
    const look = async () =>
      findPending(await readMigrations(project.folder), await readApplied(db, '__drizzle_migrations')).pending.map(
        ({ name }) => name,
      )
    const tables = () => connection.value('SELECT count(*) FROM sqlite_master')
    try {
      const names = [project.add('one', 'CREATE TABLE one(x);'), project.add('two', 'CREATE TABLE two(x);')]
      expect(await look()).toEqual(names)
      expect(await tables()).toBe(0)
      await connection.migrate(project.folder)
      expect(await look()).toEqual([])
      const three = project.add('three', 'CREATE TABLE three(x);')
      expect(await look()).toEqual([three])
      await connection.migrate(project.folder)
      expect(await look()).toEqual([])
    } finally {
      connection.close()
    }
  })
})

test('a folder that is not there, and a journal that names a missing file, are said', async () => {
  const project = makeProject('journal')
  await expect(readMigrations(project.folder)).rejects.toMatchObject({ code: 'USAGE' })
  project.add('one', 'SELECT 1;')
  writeFileSync(
    `${project.folder}/meta/_journal.json`,
    JSON.stringify({ entries: [{ tag: '0007_gone', when: 1, idx: 0 }] }),
  )
  await expect(readMigrations(project.folder)).rejects.toThrow(/0007_gone\.sql is in the journal/)
})
