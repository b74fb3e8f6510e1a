import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from '../testing/make-database.ts'
import { keys, parseJsonLines, runCli, runInTerminal } from '../testing/run-cli.ts'

const config = { databases: { app: './app.db' }, storages: { disk: './backups', second: './second' } }

/** A configured folder with two backups, and their ids, newest first. */
async function folderWithTwo() {
  const folder = tempFolder()
  makeDatabase(join(folder.path, 'app.db'))
  writeFileSync(join(folder.path, 'sqlite-backup.config.json'), JSON.stringify(config))
  const backUp = async (): Promise<string> => (await runCli(folder.path, ['backup', '--quiet'])).stdout.trim()
  const older = await backUp()
  const newest = await backUp()
  return { path: folder.path, older, newest, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

describe('delete', () => {
  it('deletes one backup everywhere, asks for --yes where nobody can answer, and is found in the audit log', async () => {
    using folder = await folderWithTwo()
    const { older, newest } = folder
    const run = (...args: readonly string[]) => runCli(folder.path, args)
    expect(await run('delete', older)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('Nothing was deleted'),
    })
    const deleted = await run('delete', older, '--yes', '--reason', 'test data')
    expect(deleted).toMatchObject({
      exitCode: 0,
      stdout: `✔ ${older}  disk  deleted\n✔ ${older}  second  deleted\n`,
    })
    expect((await run('list', '--quiet')).stdout).toBe(`${newest}\n`)

    const { last } = parseJsonLines((await run('audit', '--json')).stdout)
    expect(last.result).toMatchObject({
      database: 'app',
      entries: [
        { action: 'delete.succeeded', backup: older },
        {
          action: 'delete.started',
          backup: older,
          actor: expect.stringMatching(/@.* \(command line\)$/),
          detail: { storages: 'disk, second', reason: 'test data' },
        },
      ],
      problems: [],
      hasMore: false,
    })
    expect((await run('audit', '--limit', '1')).stdout).toMatch(/deleted a backup .*\nThere are older ones/)

    const writers = join(folder.path, 'backups', 'app', 'audit')
    const writer = readdirSync(writers).find((name) => name !== 'heads') ?? ''
    rmSync(join(writers, writer, '00000001.json'))
    expect(await run('audit', '--quiet')).toMatchObject({
      exitCode: 3,
      stdout: `✖ Entry 1 of ${writer} was removed.\n`,
    })
  })

  it('shows what would go, refuses what has to stay, and on a terminal asks', async () => {
    using folder = await folderWithTwo()
    const { older, newest } = folder
    const planned = await runCli(folder.path, ['delete', newest, '--dry-run'])
    expect(planned).toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/has to stay[\s\S]*disk .* stays: newest/),
    })
    const refused = await runCli(folder.path, ['delete', newest, '--yes'])
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('it is the newest one') })

    const terminal = runInTerminal(folder.path, ['delete', older])
    await terminal.waitFor(/Delete \S+ for ever\?/)
    terminal.send(keys.enter)
    expect(await terminal.exited).toBe(130)
    expect((await runCli(folder.path, ['list', '--quiet'])).stdout).toBe(`${newest}\n${older}\n`)
  })
})
