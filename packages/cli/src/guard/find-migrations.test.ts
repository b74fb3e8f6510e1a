import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tempFolder } from '../testing/make-database.ts'
import { findMigrations } from './find-migrations.ts'

const kit = ['npx', 'drizzle-kit', 'migrate']

function project(files: Readonly<Record<string, string>>) {
  const folder = tempFolder()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder.path, name)), { recursive: true })
    writeFileSync(join(folder.path, name), text)
  }
  return folder
}

describe('findMigrations', () => {
  it.each([
    ["export default defineConfig({ out: './db/out' })", 'db/out'],
    ["export default { // out: './no'\n dialect: 'sqlite' }", 'drizzle'],
    ['{ "dialect": "sqlite", "out": "sql" }', 'sql'],
    ["export default { out: './m', migrations: { table: 'books' } }", 'm'],
  ])('reads the folder that drizzle-kit takes: %s', (text, out) => {
    using folder = project({ 'drizzle.config.ts': text })
    expect(findMigrations({ words: kit, cwd: folder.path })).toEqual({
      folder: join(folder.path, out),
      isNamed: false,
      driver: 'transaction',
      ...(text.includes('books') ? { migrationsTable: 'books' } : {}),
    })
  })

  it('reads the config that is named, and sees which driver there is', () => {
    const driver = { 'node_modules/@libsql/client/index.js': '', 'node_modules/@libsql/client/package.json': '{}' }
    using folder = project({ 'a.ts': "export default { out: 'a' }", ...driver })
    for (const words of [
      [...kit, '--config=a.ts'],
      ['node', 'node_modules/drizzle-kit/bin.cjs', 'migrate', '--config', 'a.ts'],
    ]) {
      expect(findMigrations({ words, cwd: folder.path })).toMatchObject({
        folder: join(folder.path, 'a'),
        driver: 'disarmed',
      })
    }
  })

  it('knows nothing of a folder that is computed, nor of other commands', () => {
    using folder = project({
      'drizzle.config.ts': 'export default { out: process.env.OUT }',
      'prisma/migrations/x': '',
    })
    for (const words of [kit, ['drizzle-kit', 'push'], ['node', 'migrate.js'], ['npx', 'prisma', 'db', 'push']]) {
      expect(findMigrations({ words, cwd: folder.path })).toBeUndefined()
    }
    expect(findMigrations({ words: ['npx', 'prisma', 'migrate', 'deploy'], cwd: folder.path })?.folder).toBe(
      join(folder.path, 'prisma/migrations'),
    )
    expect(findMigrations({ words: ['node', 'migrate.js'], cwd: folder.path, named: './sql' })).toEqual({
      folder: join(folder.path, 'sql'),
      isNamed: true,
      driver: 'unknown',
    })
  })
})
