import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from '../testing/make-database.ts'
import { parseJsonLines, runCli } from '../testing/run-cli.ts'

async function backUp(dir: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await runCli(dir, ['backup', ...args, '--to', './backups', '--quiet'])
  return stdout.trim()
}

describe('list', () => {
  it('lists newest first, with filters, without a config', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const first = await backUp(folder.path, './app.db', '--name', 'first')
    const second = await backUp(folder.path, './app.db', '--tier', 'daily')
    const list = async (...args: readonly string[]): Promise<string> =>
      (await runCli(folder.path, ['list', '--from', './backups', ...args])).stdout
    expect(await list('--quiet')).toBe(`${second}\n${first}\n`)
    expect(await list('--quiet', '--name', 'first')).toBe(`${first}\n`)
    expect(await list('--quiet', '--tier', 'daily')).toBe(`${second}\n`)
    expect(await list('--quiet', '--until', '7d')).toBe('')
    expect(await list()).toMatch(
      new RegExp(`^ID .*AGE.*TIER.*VERIFIED.*SIZE.*NAME\n${second} .*daily.*\n${first} .*manual.*first\n$`),
    )
  })

  it('says when a folder or a database is a slip, and what there is', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    await backUp(folder.path, './app.db')
    const noFolder = await runCli(folder.path, ['list', '--from', './backup'])
    expect(noFolder).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/no folder .*backup\.\n[\s\S]*STORAGE_MISSING/),
    })
    const noDatabase = await runCli(folder.path, ['list', '--from', './backups', '--db', 'ap'])
    expect(noDatabase).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('It holds backups of app.') })
  })

  it('goes page by page', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const ids = [
      await backUp(folder.path, './app.db'),
      await backUp(folder.path, './app.db'),
      await backUp(folder.path, './app.db'),
    ]
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const more = cursor === undefined ? [] : ['--cursor', cursor]
      const { stdout } = await runCli(folder.path, ['list', '--from', './backups', '--limit', '2', '--json', ...more])
      const { result } = parseJsonLines(stdout).last
      seen.push(...result.items.map(({ id }: { id: string }) => id))
      cursor = result.cursor
    } while (cursor !== undefined)
    expect(seen).toEqual(ids.toReversed())
  })

  it('names the databases when there are several', async () => {
    using folder = tempFolder()
    for (const name of ['app', 'app2']) {
      makeDatabase(join(folder.path, `${name}.db`))
      await backUp(folder.path, `./${name}.db`)
    }
    const { exitCode, stdout } = await runCli(folder.path, ['list', '--from', './backups'])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^DATABASE .*\napp .*\napp2 .*\n/)
    expect(stdout).toContain('--db')
  })

  it('says so when there is nothing', async () => {
    using folder = tempFolder()
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['list', '--from', '.'])
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: '' })
    expect(stderr).toMatch(/no backups/)
    // "0 of 0 checked" would be good news for a place that was misspelt.
    for (const args of [
      ['verify', '--all'],
      ['restore', 'latest', '-o', 'x.db'],
    ]) {
      const needy = await runCli(folder.path, [...args, '--from', '.'])
      expect(needy).toMatchObject({
        exitCode: 5,
        stderr: expect.stringContaining('There are no backups in filesystem'),
      })
    }
  })
})

describe('show', () => {
  it('shows the manifest, checks and row counts of one backup', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const id = await backUp(folder.path, './app.db')
    await runCli(folder.path, ['verify', id, '--from', './backups', '--db', 'app', '--level', 'proven'])
    const { exitCode, stdout } = await runCli(folder.path, ['show', 'latest', '--from', './backups', '--db', 'app'])
    expect(exitCode).toBe(0)
    expect(stdout).toContain(`${id}  app`)
    expect(stdout).toMatch(/body +app\/backups\/manual\//)
    expect(stdout).toMatch(/✔ .* proven in .*integrity ok/)
    expect(stdout).toMatch(/users +100/)
  })
})
