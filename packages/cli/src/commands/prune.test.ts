import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from '../testing/make-database.ts'
import { keys, parseJsonLines, runCli, runInTerminal } from '../testing/run-cli.ts'

const config = {
  databases: { app: './app.db' },
  storages: { disk: './backups', second: './second' },
  retention: { keepLast: 2, manual: 0 },
}

/** A configured folder with some backups, and their ids, newest first. */
async function folderWithBackups(count: number, more: object = {}) {
  const folder = tempFolder()
  makeDatabase(join(folder.path, 'app.db'))
  writeFileSync(join(folder.path, 'sqlite-backup.config.json'), JSON.stringify({ ...config, ...more }))
  const ids: string[] = []
  for (let i = 0; i < count; i++) ids.unshift((await runCli(folder.path, ['backup', '--quiet'])).stdout.trim())
  return { path: folder.path, ids, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

async function idsIn(dir: string): Promise<readonly string[]> {
  return (await runCli(dir, ['list', '--quiet'])).stdout.trim().split('\n')
}

describe('prune', () => {
  it('shows what would go and what stays, and why', async () => {
    using folder = await folderWithBackups(4)
    const { exitCode, stdout } = await runCli(folder.path, ['prune', '--dry-run'])
    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/app, disk: 2 stay \(.*\), 2 go \(/)
    expect(stdout).toContain('stay because: 1 newest, 2 keepLast')
    expect(stdout).toMatch(new RegExp(`${folder.ids[2]} .* manual .* its tier is not kept`))
    expect(stdout).toContain('Nothing was changed.')
    expect(await idsIn(folder.path)).toEqual(folder.ids)
    const quiet = await runCli(folder.path, ['cleanup', '--dry-run', '--quiet', '--from', 'disk'])
    expect(quiet.stdout.trim().split('\n')).toEqual(folder.ids.slice(2))
  })

  it('asks for --yes where nobody can answer, then gives a day of notice unless --now', async () => {
    using folder = await folderWithBackups(3)
    const silent = await runCli(folder.path, ['prune'])
    expect(silent).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('nobody is here to say yes') })
    const announced = await runCli(folder.path, ['prune', '--yes'])
    expect(announced).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('1 backup will be deleted by a prune after'),
    })
    expect(await idsIn(folder.path)).toHaveLength(3)
    const { last } = parseJsonLines((await runCli(folder.path, ['prune', '--yes', '--now', '--json'])).stdout)
    expect(last).toMatchObject({
      ok: true,
      result: { pruned: [{ storages: [{ outcome: 'deleted', deleted: { count: 1 } }, { outcome: 'deleted' }] }] },
    })
    expect(await idsIn(folder.path)).toEqual(folder.ids.slice(0, 2))
    expect((await runCli(folder.path, ['prune', '--yes'])).stdout).toContain('0 go')
  })

  it('on a terminal shows the plan, asks, and deletes at once', async () => {
    using folder = await folderWithBackups(3)
    const terminal = runInTerminal(folder.path, ['prune'])
    await terminal.waitFor(/Delete 2 backups for ever\?/)
    expect(terminal.text()).toContain(folder.ids[2])
    terminal.send(keys.left)
    terminal.send(keys.enter)
    expect(await terminal.exited).toBe(0)
    expect(await idsIn(folder.path)).toEqual(folder.ids.slice(0, 2))
  })

  it('refuses without a retention policy', async () => {
    using folder = await folderWithBackups(1, { retention: undefined })
    const { exitCode, stderr } = await runCli(folder.path, ['prune', '--yes', '--now'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('no `retention` is stated')
    expect(stderr).toContain('SQLITE_BACKUP_RETENTION=default')
  })
})

describe('keep', () => {
  it('keeps a backup in every storage that has it, until unkeep', async () => {
    using folder = await folderWithBackups(4)
    const id = folder.ids[3] ?? ''
    const kept = await runCli(folder.path, ['keep', id, '--reason', 'audit 2026'])
    expect(kept).toMatchObject({ exitCode: 0, stdout: `✔ ${id}  disk  kept\n✔ ${id}  second  kept\n` })
    await runCli(folder.path, ['prune', '--yes', '--now'])
    expect(await idsIn(folder.path)).toEqual([...folder.ids.slice(0, 2), id])
    await runCli(folder.path, ['unkeep', id])
    await runCli(folder.path, ['prune', '--yes', '--now'])
    expect(await idsIn(folder.path)).toEqual(folder.ids.slice(0, 2))
    expect((await runCli(folder.path, ['keep', id])).exitCode).toBe(5)
  })
})
