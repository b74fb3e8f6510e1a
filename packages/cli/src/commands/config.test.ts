import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { tempFolder } from '../testing/make-database.ts'
import { parseJsonLines, runCli } from '../testing/run-cli.ts'

describe('config check', () => {
  it('shows every value and where it comes from', async () => {
    using folder = tempFolder()
    const config = `export default { databases: { app: './app.db' }, storages: { local: './backups' }, maxPin: '2s' }`
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    const { exitCode, stdout } = await runCli(folder.path, ['config', 'check'])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/databases\.app.*app\.db +.*file/)
    expect(stdout).toMatch(/compression\.format +zst +default/)
    expect(stdout).toMatch(/maxPin.*2.*file/)
  })

  it('never shows a secret', async () => {
    using folder = tempFolder()
    const config = `{ "databases": { "app": "./app.db" }, "encryption": { "passphrase": { "env": "MY_PASSPHRASE" } } }`
    writeFileSync(join(folder.path, 'sqlite-backup.config.json'), config)
    const env = { MY_PASSPHRASE: 'correct horse' }
    const { stdout, stderr } = await runCli(folder.path, ['config', 'check'], { env })
    const json = await runCli(folder.path, ['config', 'check', '--json'], { env })
    expect(stdout).toContain('env(MY_PASSPHRASE)')
    expect(stdout + stderr + json.stdout + json.stderr).not.toContain('horse')
  })

  it('shows jobs and retention in words, and that a heartbeat is set but not where', async () => {
    using folder = tempFolder()
    const config = {
      databases: { app: './app.db' },
      storages: { local: './backups' },
      jobs: { night: { schedule: '30 3 * * *', timeZone: 'Europe/Berlin', to: 'local' } },
      retention: { daily: ['14d', 3], weekly: 0 },
      notify: { heartbeat: 'https://hc.example/0bc3-secret' },
    }
    writeFileSync(join(folder.path, 'sqlite-backup.config.json'), JSON.stringify(config))
    const { stdout } = await runCli(folder.path, ['config', 'check'])
    expect(stdout).toMatch(/jobs\.night +30 3 \* \* \* Europe\/Berlin; app; to local; if changed +file/)
    expect(stdout).toMatch(/retention\.daily +14 d.*, or the newest 3 +file/)
    expect(stdout).toMatch(/retention\.weekly +none/)
    expect(stdout).toMatch(/retention\.yearly +for ever/)
    expect(stdout).toMatch(/notify\.heartbeat +set, not shown +file/)
    const json = await runCli(folder.path, ['config', 'check', '--json'])
    expect(stdout + json.stdout).not.toContain('0bc3')
  })

  it('suggests the right key, with exit code 2', async () => {
    using folder = tempFolder()
    writeFileSync(join(folder.path, 'sqlite-backup.config.json'), '{ "databses": {} }')
    const { exitCode, stderr } = await runCli(folder.path, ['config', 'check'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('Did you mean "databases"?') })
  })

  it('says that there is no config, and how to get one', async () => {
    using folder = tempFolder()
    const { exitCode, stderr } = await runCli(folder.path, ['config', 'check'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('sqlite-backup init') })
  })
})

describe('config schema', () => {
  it('prints a JSON schema that knows the keys', async () => {
    using folder = tempFolder()
    const { exitCode, stdout } = await runCli(folder.path, ['config', 'schema'])
    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ type: 'object', properties: { databases: {}, storages: {} } })
    const inJson = await runCli(folder.path, ['config', 'schema', '--json'])
    expect(parseJsonLines(inJson.stdout).last.result).toEqual(JSON.parse(stdout))
  })
})
