import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from '../testing/make-database.ts'
import { parseJsonLines, runCli } from '../testing/run-cli.ts'

const config = `export default { databases: { app: './app.db' }, storages: { local: './backups' } }`

describe('doctor', () => {
  it('looks at the machine, the config, the databases and the storages', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    await runCli(folder.path, ['backup'])
    const { exitCode, stdout } = await runCli(folder.path, ['doctor'])
    expect(exitCode).toBe(0)
    expect(stdout).toContain(`✔ Node ${process.versions.node}`)
    expect(stdout).toContain('sqlite-backup.config.mts')
  })

  it('is content with a storage alone', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    await runCli(folder.path, ['backup', './app.db', '--to', './backups'])
    const { exitCode, stdout } = await runCli(folder.path, ['doctor', '--from', './backups'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringContaining('only the storages') })
  })

  it('exits with 3 when a database is damaged', async () => {
    using folder = tempFolder()
    writeFileSync(join(folder.path, 'app.db'), 'This is not a database, whatever it is called. '.repeat(100))
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), config)
    const { exitCode, stdout } = await runCli(folder.path, ['doctor', '--json'])
    expect(exitCode).toBe(3)
    const levels = parseJsonLines(stdout).last.result.findings.map(({ level }: { level: string }) => level)
    expect(levels).toContain('error')
  })

  it('names what is wrong with a config that cannot be read, and goes on', async () => {
    using folder = tempFolder()
    writeFileSync(join(folder.path, 'sqlite-backup.config.mts'), 'export default { databses: {} }')
    const { exitCode, stdout } = await runCli(folder.path, ['doctor'])
    expect(exitCode).toBe(3)
    expect(stdout).toContain('✔ Node')
    expect(stdout).toMatch(/✖ .*databses/)
    expect(stdout).toContain('Did you mean "databases"?')
  })
})
