import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from '../testing/make-database.ts'
import { parseJsonLines, runCli } from '../testing/run-cli.ts'

const from = ['--from', './backups', '--db', 'app']

async function folderWithBackups(count: number): Promise<ReturnType<typeof tempFolder>> {
  const folder = tempFolder()
  makeDatabase(join(folder.path, 'app.db'))
  for (let i = 0; i < count; i++) await runCli(folder.path, ['backup', './app.db', '--to', './backups'])
  return folder
}

/** Turns one bit of the newest body. */
function damageNewest(dir: string): void {
  const file = globSync('backups/app/backups/*/*.zst', { cwd: dir }).sort().at(-1) ?? ''
  const bytes = readFileSync(join(dir, file))
  bytes[100] = (bytes[100] ?? 0) ^ 1
  writeFileSync(join(dir, file), bytes)
}

describe('verify', () => {
  it.each(['stored', 'checked', 'proven'])('verifies at level %s', async (level) => {
    using folder = await folderWithBackups(1)
    const { exitCode, stdout } = await runCli(folder.path, ['verify', 'latest', ...from, '--level', level])
    expect({ exitCode, stdout }).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(new RegExp(`^✔ .* ${level} in `)),
    })
  })

  it('exits with 3 and says which check failed when a bit was turned', async () => {
    using folder = await folderWithBackups(1)
    damageNewest(folder.path)
    const { exitCode, stdout } = await runCli(folder.path, ['verify', 'latest', ...from])
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: expect.stringMatching(/^✖ .*not checked: .*BODY_/) })
  })

  it('verifies all, goes on after a failure, and counts', async () => {
    using folder = await folderWithBackups(3)
    damageNewest(folder.path)
    const people = await runCli(folder.path, ['verify', '--all', ...from])
    expect(people.exitCode).toBe(3)
    expect(people.stdout.trim().split('\n').at(-1)).toBe('1 of 3 failed.')
    const programs = await runCli(folder.path, ['verify', '--all', ...from, '--json', '--quiet'])
    expect(parseJsonLines(programs.stdout)).toMatchObject({
      events: [],
      last: { ok: false, result: { good: 2, failed: 1 } },
    })
    const cron = await runCli(folder.path, ['verify', '--all', ...from, '--quiet'])
    expect(cron.stdout.trim().split('\n')).toHaveLength(1)
  })

  it('takes a backup or --all, not both', async () => {
    using folder = tempFolder()
    const { exitCode, stderr } = await runCli(folder.path, ['verify', 'latest', '--all', ...from])
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining('or all?') })
  })
})
