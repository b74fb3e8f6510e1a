import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { addUsers, countUsers, makeDatabase, tempFolder } from '../testing/make-database.ts'
import { exitOf, parseJsonLines, runCli, startCli } from '../testing/run-cli.ts'

const driver = import.meta.resolve('better-sqlite3')

/** A folder with databases, a config for them and a script that runs SQL on the file it is given. */
function setUp(...names: readonly string[]) {
  const folder = tempFolder()
  const paths = names.map((name) => join(folder.path, `${name}.db`))
  for (const path of paths) makeDatabase(path)
  const databases = names.map((name) => `${name}: './${name}.db'`).join(', ')
  writeFileSync(
    join(folder.path, 'sqlite-backup.config.mts'),
    `export default { databases: { ${databases} }, storages: { local: './backups' } }`,
  )
  writeFileSync(
    join(folder.path, 'sql.mjs'),
    `import Database from '${driver}'
     const [file, sql] = process.argv.slice(2)
     new Database(file).exec(sql)
     console.log('migrated ' + file)`,
  )
  return { ...folder, paths }
}

const run = (sql: string): readonly string[] => ['--', 'node', 'sql.mjs', '{file}', sql]
const drop = 'DELETE FROM users WHERE id > 10'
const add = 'ALTER TABLE users ADD plan TEXT'

describe('guard', () => {
  it('keeps a migration that loses nothing, and lets the command speak', async () => {
    using folder = setUp('app')
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['guard', ...run(add)])
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
    expect(stdout).toContain('migrated ')
    expect(stdout).toMatch(/✔ app migrated and kept\n {2}backup \S+, took/)
    const list = await runCli(folder.path, ['list', '--tier', 'pre-migration', '--quiet'])
    expect(list.stdout.trim().split('\n')).toHaveLength(1)
  })

  it('rolls back one that loses rows, under an open connection, and exits with 7', async () => {
    using folder = setUp('app')
    const app = new Database(folder.paths[0] ?? '')
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['guard', ...run(drop)])
    const rows = app.prepare('SELECT count(*) FROM users').pluck().get()
    app.close()
    expect({ exitCode, rows }).toEqual({ exitCode: 7, rows: 100 })
    expect(stdout).toMatch(/✖ app rolled back to \S+\n {2}users lost 90 of 100 rows\./)
    expect(stdout).toMatch(/ {2}took .+, of which writers waited /)
    expect(stderr).toContain('MIGRATION_ROLLED_BACK')
    const again = await runCli(folder.path, ['guard', '--allow-loss', 'users', ...run(drop)])
    expect([again.exitCode, countUsers(folder.paths[0] ?? '')]).toEqual([0, 10])
  })

  it('tells a program what happened, with the command’s own words on stderr', async () => {
    using folder = setUp('app')
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['guard', '--json', ...run(drop)])
    expect(stderr).toContain('migrated ')
    const { last } = parseJsonLines(stdout)
    expect(exitCode).toBe(7)
    expect(last).toMatchObject({
      ok: false,
      exitCode: 7,
      result: {
        databases: [
          {
            database: 'app',
            outcome: 'rolled-back',
            isRestored: true,
            lost: [{ table: 'users', before: 100, after: 10 }],
          },
        ],
        notRun: [],
      },
    })
  })

  it('rolls back what a failing command left, and says how it failed', async () => {
    using folder = setUp('app')
    const args = ['guard', ...run(`${drop}; SELECT nothing`)]
    const { exitCode, stdout } = await runCli(folder.path, args)
    expect(exitCode).toBe(7)
    expect(stdout).toMatch(/It failed: node sql\.mjs .* exited with 1\./)
    expect(countUsers(folder.paths[0] ?? '')).toBe(100)
  })

  it('leaves alone what a command that cannot be started did not touch', async () => {
    using folder = setUp('app')
    const { exitCode, stdout } = await runCli(folder.path, ['guard', '--', 'no-such-tool', 'migrate'])
    expect(exitCode).toBe(7)
    expect(stdout).toMatch(/✖ app left as it was; backup \S+\n {2}It failed: no-such-tool migrate could not be started/)
  })

  it('leaves it to the command with --row-loss warn, and says it failed with fail', async () => {
    using folder = setUp('app')
    const warned = await runCli(folder.path, ['guard', '--row-loss', 'warn', ...run(drop)])
    expect(warned).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('users lost 90 of 100 rows.') })
    const failed = await runCli(folder.path, ['guard', '--row-loss', 'fail', ...run('DELETE FROM users')])
    expect(failed).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('MIGRATION_LOST_ROWS') })
  })

  it('reads the migrations that are named: what they allow, and what should be known before', async () => {
    using folder = setUp('app')
    const missing = await runCli(folder.path, ['guard', '--migrations', './sql', ...run(drop)])
    expect(missing).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('cannot be read') })
    expect(countUsers(folder.paths[0] ?? '')).toBe(100)

    mkdirSync(join(folder.path, 'sql/20260101000000_clean'), { recursive: true })
    const file = join(folder.path, 'sql/20260101000000_clean/migration.sql')
    writeFileSync(file, '-- sqlite-backup: allow-loss users\nDELETE FROM users;')
    const { exitCode, stderr } = await runCli(folder.path, ['guard', '--migrations', './sql', ...run(drop)])
    expect({ exitCode, rows: countUsers(folder.paths[0] ?? '') }).toEqual({ exitCode: 0, rows: 10 })
    expect(stderr).toMatch(
      /migration\.sql: DELETE FROM users — It has no WHERE[\s\S]*As allowed: users lost 90 of 100 rows/,
    )
  })

  it('says so when a path is a slip: nothing was guarded', async () => {
    using folder = tempFolder()
    const slip = await runCli(folder.path, ['guard', '--db', './ap.db', '--to', './backups', '--', 'true'])
    expect(slip).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/no database at .*ap\.db[\s\S]*Nothing was guarded/),
    })
  })

  it('needs no config', async () => {
    using folder = tempFolder()
    const db = join(folder.path, 'mine.db')
    makeDatabase(db)
    writeFileSync(
      join(folder.path, 'm.mjs'),
      `import D from '${driver}'; new D(process.env.GUARD_FILE).exec('${drop}')`,
    )
    const args = ['guard', '--db', './mine.db', '--to', './backups', '--', 'node', 'm.mjs']
    expect((await runCli(folder.path, args)).exitCode).toBe(7)
    expect(countUsers(db)).toBe(100)
  })
})

describe('guard --all', () => {
  it('migrates one after the other, stops at the first that fails, and reports all', async () => {
    using folder = setUp('a', 'b', 'c')
    addUsers(new Database(folder.paths[1] ?? ''), 1)
    // Only b has a row 101 to lose.
    const sql = `${add}; DELETE FROM users WHERE id = 101`
    const { exitCode, stdout } = await runCli(folder.path, ['guard', '--all', ...run(sql)])
    expect(exitCode).toBe(7)
    expect(stdout).toMatch(
      /✔ a migrated and kept[\s\S]*✖ b rolled back[\s\S]*users lost 1 of 101 rows[\s\S]*· c was not run\./,
    )
    expect(folder.paths.map((path) => new Database(path).prepare('SELECT * FROM users').columns().length)).toEqual([
      4, 3, 3,
    ])
  })

  it('is asked for: with several databases and none chosen, nothing is run', async () => {
    using folder = setUp('a', 'b')
    const { exitCode, stderr } = await runCli(folder.path, ['guard', ...run(add)])
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('--all') })
    const one = await runCli(folder.path, ['guard', '--db', 'b', ...run(add)])
    expect(one).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('b migrated and kept') })
  })
})

describe('a guard that ends in the middle', () => {
  const slow = `import D from '${driver}'; import { writeFileSync } from 'node:fs'
    new D(process.argv[2]).exec('${drop}'); writeFileSync('begun', ''); setTimeout(() => {}, 60_000)`

  it('is rolled back at once after Ctrl+C or SIGTERM', async () => {
    using folder = setUp('app')
    writeFileSync(join(folder.path, 'slow.mjs'), slow)
    const child = startCli(folder.path, ['guard', '--', 'node', 'slow.mjs', '{file}'])
    const exited = exitOf(child)
    await untilBegun(child, folder.path)
    child.kill('SIGTERM')
    expect(await exited).toBe(130)
    expect(countUsers(folder.paths[0] ?? '')).toBe(100)
  })

  it('is undone by the next guard after kill -9', async () => {
    using folder = setUp('app')
    writeFileSync(join(folder.path, 'slow.mjs'), slow.replace('60_000', '1'))
    const child = startCli(folder.path, ['guard', '--', 'node', 'slow.mjs', '{file}'])
    await untilBegun(child, folder.path)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const next = await runCli(folder.path, ['guard', ...run(add)])
    expect({ ...next, rows: countUsers(folder.paths[0] ?? '') }).toMatchObject({
      exitCode: 0,
      rows: 100,
      stderr: expect.stringMatching(/was interrupted, and is rolled back to/),
    })
  })

  it('is waited for by the next guard when its command runs on after kill -9', async () => {
    using folder = setUp('app')
    const waiting = `import D from '${driver}'; import { existsSync, writeFileSync } from 'node:fs'
      const db = new D(process.argv[2]); writeFileSync('begun', '')
      setInterval(() => { if (existsSync('go')) { db.exec('${drop}'); process.exit() } }, 5)`
    writeFileSync(join(folder.path, 'waiting.mjs'), waiting)
    const child = startCli(folder.path, ['guard', '--', 'node', 'waiting.mjs', '{file}'])
    await untilBegun(child, folder.path)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const early = await runCli(folder.path, ['guard', '--wait', '0s', ...run(add)])
    expect((await runCli(folder.path, ['doctor'])).stdout).toMatch(/✔ The migration of app .* is running\./)
    expect(early).toMatchObject({ exitCode: 4, stderr: expect.stringMatching(/its command still runs: process \d+/) })
    writeFileSync(join(folder.path, 'go'), '')
    const next = await runCli(folder.path, ['guard', ...run(add)])
    expect({ ...next, rows: countUsers(folder.paths[0] ?? '') }).toMatchObject({ exitCode: 0, rows: 100 })
    expect(next.stderr).toContain('users lost 90 of 100 rows')
  })

  async function untilBegun(child: ChildProcess, folder: string): Promise<void> {
    while (!existsSync(join(folder, 'begun'))) {
      expect(child.exitCode, 'the guard ended before its command began').toBeNull()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
})

describe('restore --before-migration', () => {
  it('finds the backup by what was pending, and says what there is when there is none', async () => {
    using folder = setUp('app')
    await runCli(folder.path, ['guard', ...run(add)])
    const unknown = await runCli(folder.path, ['restore', '--before-migration', '0007_x', '-o', 'r.db'])
    expect({ ...unknown }).toMatchObject({
      exitCode: 5,
      stderr: expect.stringContaining('before the migration "0007_x"'),
    })
    const both = await runCli(folder.path, ['restore', 'latest', '--before-migration', '0007_x', '-o', 'r.db'])
    expect(both.exitCode).toBe(2)
  })
})
