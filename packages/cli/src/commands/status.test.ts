import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from '../testing/make-database.ts'
import { parseJsonLines, runCli } from '../testing/run-cli.ts'

describe('status', () => {
  it('is healthy after a backup, and exits with 3 when it is older than --max-age', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    await runCli(folder.path, ['backup', './app.db', '--to', './backups'])
    const young = await runCli(folder.path, ['status', '--from', './backups', '--max-age', '26h'])
    expect(young).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^DATABASE .*\napp .* healthy /) })
    const old = await runCli(folder.path, ['status', '--from', './backups', '--max-age', '1ms'])
    expect(old).toMatchObject({ exitCode: 3, stdout: expect.stringMatching(/UNHEALTHY(.|\n)*✖ app, /) })
  })

  it('says nothing with --quiet as long as all is well, and what is wrong when it is not', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    await runCli(folder.path, ['backup', './app.db', '--to', './backups'])
    const status = ['status', '--from', './backups', '--quiet', '--max-age']
    expect(await runCli(folder.path, [...status, '26h'])).toEqual({ exitCode: 0, stdout: '', stderr: '' })
    expect(await runCli(folder.path, [...status, '1ms'])).toMatchObject({
      exitCode: 3,
      stdout: expect.stringContaining('✖'),
    })
  })

  it('needs to read only', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    await runCli(folder.path, ['backup', './app.db', '--to', './backups'])
    chmodSync(join(folder.path, 'backups'), 0o555)
    const { exitCode, stdout } = await runCli(folder.path, ['status', '--from', './backups', '--json'])
    chmodSync(join(folder.path, 'backups'), 0o755)
    expect({ exitCode, healthy: parseJsonLines(stdout).last.result.healthy }).toEqual({ exitCode: 0, healthy: true })
  })

  it('is unhealthy when there is nothing', async () => {
    using folder = tempFolder()
    const { exitCode, stdout } = await runCli(folder.path, ['status', '--from', '.'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: expect.stringMatching(/no backup/i) })
  })
})
