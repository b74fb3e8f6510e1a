import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { addUsers, countUsers, makeDatabase, tempFolder } from '../testing/make-database.ts'
import { parseJsonLines, runCli } from '../testing/run-cli.ts'

const idPattern = /\d{8}T\d{6}Z-[0-9a-z]+/

describe('backup', () => {
  it('backs a file up into a folder, without a config, while the app writes', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const app = new Database(join(folder.path, 'app.db'))
    addUsers(app, 50)
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['backup', './app.db', '--to', './backups'])
    app.close()
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
    expect(stdout).toMatch(new RegExp(`^✔ Backed up app as ${idPattern.source}\n`))
    expect(stdout).toMatch(/stored +backups \(filesystem .*\/backups\)\n/)
    expect(stdout).toMatch(/kept as +manual\n/)
    const restored = await runCli(folder.path, [
      'restore',
      'latest',
      '--from',
      './backups',
      '--db',
      'app',
      '-o',
      'r.db',
    ])
    expect({ ...restored, rows: countUsers(join(folder.path, 'r.db')) }).toMatchObject({ exitCode: 0, rows: 150 })
  })

  it('prints the id alone with --quiet, and nothing on stderr', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const { stdout, stderr } = await runCli(folder.path, ['backup', 'app.db', '--to', './backups', '--quiet'])
    expect({ stdout, stderr }).toEqual({
      stdout: expect.stringMatching(new RegExp(`^${idPattern.source}\n$`)),
      stderr: '',
    })
  })

  it('prints events and then one result with --json', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const args = ['backup', './app.db', '--to', './backups', '--name', 'before-import', '--json']
    const { exitCode, stdout } = await runCli(folder.path, args)
    const { events, last } = parseJsonLines(stdout)
    expect(exitCode).toBe(0)
    expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(['backup.started', 'backup.succeeded']))
    expect(last).toMatchObject({
      schemaVersion: 1,
      command: 'backup',
      ok: true,
      exitCode: 0,
      result: { backups: [{ database: 'app', result: { outcome: 'stored', manifest: { name: 'before-import' } } }] },
    })
  })

  it('does nothing with --dry-run, and says so', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const { exitCode, stdout } = await runCli(folder.path, ['backup', './app.db', '--to', './backups', '--dry-run'])
    expect(exitCode).toBe(0)
    expect(stdout).toContain('Would back up app')
    expect(readdirSync(folder.path)).not.toContain('backups')
  })

  it('makes no second backup of an unchanged database with --if-changed', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const args = ['backup', './app.db', '--to', './backups', '--if-changed']
    await runCli(folder.path, args)
    const { exitCode, stdout } = await runCli(folder.path, args)
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('no new backup needed') })
  })

  it('backs up all databases of a config, and goes on after one that fails', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'good.db'))
    writeFileSync(join(folder.path, 'bad.db'), 'This is not a database, whatever it is called. '.repeat(100))
    const config = `export default { databases: { bad: './bad.db', good: './good.db' }, storages: { local: './backups' } }`
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['backup'])
    expect(exitCode).toBe(1)
    expect(stdout).toContain('Backed up good')
    expect(stderr).toContain('bad:')
    expect(stderr).toContain('DATABASE_INVALID')
  })

  it('says what is missing when nothing says what to back up', async () => {
    using folder = tempFolder()
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['backup'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toContain('sqlite-backup init')
  })

  it('names the file when there is none', async () => {
    using folder = tempFolder()
    const { exitCode, stderr } = await runCli(folder.path, ['backup', './nope.db', '--to', './backups'])
    expect(exitCode).toBe(1)
    expect(stderr).toContain('nope.db')
    expect(stderr).toContain('DATABASE_MISSING')
    expect(readdirSync(folder.path)).not.toContain('backups')
  })

  it('says which package s3:// needs when it is not there', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const { exitCode, stderr } = await runCli(folder.path, ['backup', './app.db', '--to', 's4://bucket/prefix'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('s4') })
  })
})
