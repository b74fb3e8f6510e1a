import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { addUsers, countUsers, makeDatabase, tempFolder } from '../testing/make-database.ts'
import { parseJsonLines, runCli } from '../testing/run-cli.ts'

const from = ['--from', './backups', '--db', 'app']
const config = `export default { databases: { app: './app.db' }, storages: { local: './backups' } }`

async function folderWithBackup(): Promise<
  ReturnType<typeof tempFolder> & { readonly db: string; readonly id: string }
> {
  const folder = tempFolder()
  const db = join(folder.path, 'app.db')
  makeDatabase(db)
  const { stdout } = await runCli(folder.path, [
    'backup',
    './app.db',
    '--to',
    './backups',
    '--name',
    'first',
    '--quiet',
  ])
  return { ...folder, db, id: stdout.trim() }
}

describe('restore into a new file', () => {
  it.each([
    ['latest', () => 'latest'],
    ['its id', (id: string) => id],
    ['its name', () => 'first'],
    ['a time', () => new Date(Date.now() + 60_000).toISOString()],
  ])('finds the backup by %s', async (_how, reference) => {
    using folder = await folderWithBackup()
    const args = ['restore', reference(folder.id), ...from, '-o', './restored.db']
    const { exitCode, stdout, stderr } = await runCli(folder.path, args)
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
    expect(stdout).toContain(`from ${folder.id}`)
    expect(countUsers(join(folder.path, 'restored.db'))).toBe(100)
  })

  it('never replaces a file that is there, unless told to', async () => {
    using folder = await folderWithBackup()
    const target = join(folder.path, 'mine.txt')
    writeFileSync(target, 'mine')
    const args = ['restore', 'latest', ...from, '-o', './mine.txt']
    const refused = await runCli(folder.path, args)
    expect({ exitCode: refused.exitCode, text: readFileSync(target, 'utf8') }).toEqual({ exitCode: 2, text: 'mine' })
    expect(refused.stderr).toContain('RESTORE_TARGET_EXISTS')
    const forced = await runCli(folder.path, [...args, '--overwrite', '--yes'])
    expect({ ...forced, rows: countUsers(target) }).toMatchObject({ exitCode: 0, rows: 100 })
  })

  it('says how to replace a database that is there, before it asks for permission', async () => {
    using folder = await folderWithBackup()
    const args = ['restore', 'latest', ...from, '-o']
    const refused = await runCli(folder.path, [...args, './app.db'])
    expect({ ...refused }).toEqual({ exitCode: 2, stdout: '', stderr: expect.stringContaining('--overwrite') })
    const folderNamed = await runCli(folder.path, [...args, '.', '--overwrite', '--yes'])
    expect({ ...folderNamed }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--output app.db') })
    expect(readdirSync(join(folder.path, '.sqlite-backup')).sort()).toEqual(['.gitignore', 'app.db'])
  })

  it('exits with 5 when there is nothing to restore', async () => {
    using folder = await folderWithBackup()
    const unknown = await runCli(folder.path, ['restore', '20200101T000000Z-00000000', ...from, '-o', 'r.db'])
    const otherDatabase = await runCli(folder.path, [
      'restore',
      'latest',
      '--from',
      './backups',
      '--db',
      'nope',
      '-o',
      'r.db',
    ])
    const beforeAll = await runCli(folder.path, ['restore', '2020-01-01', ...from, '-o', 'r.db'])
    expect([unknown, otherDatabase, beforeAll].map(({ exitCode }) => exitCode)).toEqual([5, 5, 5])
    expect(existsSync(join(folder.path, 'r.db'))).toBe(false)
  })

  it('says that a target is missing when there is neither a config nor --output', async () => {
    using folder = await folderWithBackup()
    const { exitCode, stderr } = await runCli(folder.path, ['restore', 'latest', ...from, '--yes'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('--output') })
  })
})

describe('restore in place', () => {
  it('shows the plan, changes nothing and exits with 2 when nobody can say yes', async () => {
    using folder = await folderWithBackup()
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    const app = new Database(folder.db)
    addUsers(app, 11)
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['restore', 'latest'])
    app.close()
    expect(exitCode).toBe(2)
    expect(stdout).toContain(`backup  ${folder.id}`)
    expect(stderr).toContain('--yes')
    expect(countUsers(folder.db)).toBe(111)
  })

  it('shows the plan and exits with 0 with --dry-run', async () => {
    using folder = await folderWithBackup()
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    const { exitCode, stdout } = await runCli(folder.path, ['restore', 'latest', '--dry-run', '--json'])
    expect(exitCode).toBe(0)
    expect(parseJsonLines(stdout).last.result.planned).toMatchObject({
      id: folder.id,
      how: 'online',
      target: folder.db,
    })
  })

  it('says with --dry-run what would be lost, table by table', async () => {
    using folder = await folderWithBackup()
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    const app = new Database(folder.db)
    addUsers(app, 11)
    app.exec('CREATE TABLE added (x)')
    const text = await runCli(folder.path, ['restore', 'latest', '--dry-run'])
    const json = await runCli(folder.path, ['restore', 'latest', '--dry-run', '--compare', '--json'])
    app.close()
    expect(text.stdout).toMatch(/users\s+111 → 100\s+11 lost/)
    expect(text.stdout).toContain('the table would be gone')
    expect(text.stdout).toContain('writers wait for about 1 s')
    expect(parseJsonLines(json.stdout).last.result.comparison).toMatchObject({
      basis: 'counted',
      tables: [
        { name: 'added', schema: 'goes' },
        { name: 'users', now: 111, after: 100, rowsGoing: 11 },
      ],
    })
    expect(countUsers(folder.db)).toBe(111)
  })

  it('asks who restores alone for a reason, where the admin wants two people', async () => {
    using folder = await folderWithBackup()
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    const approvals = join(folder.path, 'backups/app/approvals')
    mkdirSync(approvals, { recursive: true })
    writeFileSync(join(approvals, 'required.json'), '{}')
    const refused = await runCli(folder.path, ['restore', 'latest', '--yes'])
    expect({ ...refused }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--break-glass') })
    expect(await runCli(folder.path, ['restore', 'latest', '-o', 'copy.db'])).toMatchObject({ exitCode: 0 })
    const alone = await runCli(folder.path, ['restore', 'latest', '--yes', '--break-glass', 'nobody is awake'])
    expect(alone).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('without a second person') })
    expect(readdirSync(approvals)).toHaveLength(2)
    const written = readdirSync(join(folder.path, 'backups/app/audit'), { recursive: true, encoding: 'utf8' })
    expect(written.filter((name) => /\d{8}\.json$/.test(name))).toHaveLength(2)
  })

  it('restores into the database while the app has it open, with --yes, and keeps what was there', async () => {
    using folder = await folderWithBackup()
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    const app = new Database(folder.db)
    addUsers(app, 11)
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['restore', folder.id, '--yes', '--json'])
    const rows = app.prepare<[], { readonly count: number }>('SELECT count(*) AS count FROM users').get()
    app.close()
    expect({ exitCode, stderr, rows }).toEqual({ exitCode: 0, stderr: '', rows: { count: 100 } })
    const { restored } = parseJsonLines(stdout).last.result
    const before = await runCli(folder.path, ['restore', restored.safetyBackup, '-o', './before.db'])
    expect({ exitCode: before.exitCode, rows: countUsers(join(folder.path, 'before.db')) }).toEqual({
      exitCode: 0,
      rows: 111,
    })
    // Who restores goes back on purpose: the branch that is left behind is no fork to be warned of.
    await runCli(folder.path, ['backup'])
    expect(await runCli(folder.path, ['status'])).toMatchObject({
      exitCode: 0,
      stdout: expect.not.stringContaining('fork'),
    })
  })

  it('needs no yes for a database that is missing', async () => {
    using folder = await folderWithBackup()
    const other = config.replace('./app.db', './new/app.db')
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), other)
    const { exitCode, stderr } = await runCli(folder.path, ['restore', 'latest'])
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
    expect(countUsers(join(folder.path, 'new/app.db'))).toBe(100)
  })
})

describe('restore of an encrypted backup', () => {
  it('takes the passphrase from a file or the environment, and refuses a wrong one', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    writeFileSync(join(folder.path, 'passphrase'), 'correct horse battery staple\n')
    const key = ['--passphrase-file', './passphrase']
    const backup = await runCli(folder.path, ['backup', './app.db', '--to', './backups', ...key])
    expect({ ...backup }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('with a passphrase') })
    const restore = ['restore', 'latest', ...from, '-o']
    const none = await runCli(folder.path, [...restore, 'none.db'])
    const wrong = await runCli(folder.path, [...restore, 'wrong.db'], { env: { SQLITE_BACKUP_PASSPHRASE: 'wrong' } })
    const byFile = await runCli(folder.path, [...restore, 'file.db', ...key])
    const byEnv = await runCli(folder.path, [...restore, 'env.db'], {
      env: { SQLITE_BACKUP_PASSPHRASE: 'correct horse battery staple' },
    })
    expect([none, wrong, byFile, byEnv].map(({ exitCode }) => exitCode)).toEqual([2, 1, 0, 0])
    expect(none.stderr).toContain('--passphrase-file')
    expect(existsSync(join(folder.path, 'wrong.db'))).toBe(false)
    expect(countUsers(join(folder.path, 'env.db'))).toBe(100)
    for (const { stdout, stderr } of [backup, none, wrong, byFile, byEnv])
      expect(stdout + stderr).not.toContain('horse')
  })
})
