import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from '../testing/make-database.ts'
import { runCli } from '../testing/run-cli.ts'

const file = 'sqlite-backup.config.mts'

describe('init', () => {
  it('writes a config that the other commands work with, also where nothing is installed (npx)', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const init = await runCli(folder.path, ['init', '--yes'])
    expect({ ...init }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`Wrote ${file}`) })
    expect(await runCli(folder.path, ['config', 'check'])).toMatchObject({ exitCode: 0 })
    expect(await runCli(folder.path, ['backup'])).toMatchObject({ exitCode: 0 })
    expect(await runCli(folder.path, ['status'])).toMatchObject({ exitCode: 0 })
  })

  it('never overwrites a config', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    writeFileSync(join(folder.path, 'sqlite-backup.config.json'), '{}')
    const { exitCode, stderr } = await runCli(folder.path, ['init', '--yes'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('sqlite-backup.config.json') })
    expect(existsSync(join(folder.path, file))).toBe(false)
  })

  it('shows the file and writes nothing when nobody can say yes', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['init'])
    expect(exitCode).toBe(2)
    expect(stdout).toContain("app: './app.db'")
    expect(stderr).toContain('--yes')
    expect(existsSync(join(folder.path, file))).toBe(false)
  })

  it('writes down the bucket of the environment, and no credential', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const env = { BUCKET_NAME: 'acme-backups', AWS_SECRET_ACCESS_KEY: 'very-secret', AWS_ACCESS_KEY_ID: 'AKIAX' }
    const { stdout } = await runCli(folder.path, ['init', '--yes'], { env })
    const text = readFileSync(join(folder.path, file), 'utf8')
    expect(text).toContain("offsite: 's3://acme-backups'")
    expect(text + stdout).not.toMatch(/very-secret|AKIAX/)
    expect(stdout).toContain('npm install @sqlite-backup/core @sqlite-backup/storage-s3')
  })

  it('does not take a restored copy for a database of the app', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    makeDatabase(join(folder.path, 'restored.db'))
    const { stderr } = await runCli(folder.path, ['init', '--yes'])
    expect(stderr).toContain('Left out ./restored.db')
    expect(readFileSync(join(folder.path, file), 'utf8')).not.toContain('restored.db')
  })

  it('says so when there is no database', async () => {
    using folder = tempFolder()
    const { exitCode, stderr } = await runCli(folder.path, ['init', '--yes'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('no SQLite database') })
  })
})
