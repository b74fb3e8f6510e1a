import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from './testing/make-database.ts'
import { exitOf, parseJsonLines, runCli, startCli } from './testing/run-cli.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

describe('the command line', () => {
  it('prints its version', async () => {
    using folder = tempFolder()
    const { exitCode, stdout, stderr } = await runCli(folder.path, ['--version'])
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
  })

  it('explains itself on stderr and exits with 2 when it is given nothing to do', async () => {
    using folder = tempFolder()
    const { exitCode, stdout, stderr } = await runCli(folder.path, [])
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toContain('Usage: sqlite-backup <command>')
    const help = await runCli(folder.path, ['help', 'keep'])
    expect(help).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Usage: sqlite-backup keep <backup>') })
  })

  it.each([
    [['restore', '--form', 'x'], /Unknown option '--form'\.\n {2}Did you mean --from\?\n {2}USAGE/],
    [['bakcup'], /Unknown command 'bakcup'\.\n {2}Did you mean backup\?/],
    [['list', '--tier'], /argument missing/],
    [['list', '--tier', 'dayly'], /Allowed choices are .*pre-migration/],
    [['run', 'node', '--inspect', 'x.js'], /Run `sqlite-backup run -- <command>`/],
    [['-c', 'x.mts', 'keep'], /Run `sqlite-backup keep --help`/],
    [['verify', '--level', 'deep'], /stored, checked, proven/],
    [['list', '--limit', 'many'], /whole number/],
    [['list', '--from', '.', '--db', 'app', '--since', 'yesterday'], /"yesterday" is not a time/],
    [['backup', './app.db', '--to', './b', '--timeout', '10'], /--timeout: "10" is not a duration/],
    [['status', '--from', './x', '--max-age', '26 hours'], /is not a duration/],
    [['status', '--config', './nope.mts'], /nope\.mts/],
  ])('refuses %j with exit code 2 and says why', async (args, reason) => {
    using folder = tempFolder()
    const { exitCode, stdout, stderr } = await runCli(folder.path, args)
    expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 2, stdout: '', stderr: expect.stringMatching(reason) })
  })

  it('prints an error object with --json, also for bad usage', async () => {
    using folder = tempFolder()
    const { exitCode, stdout } = await runCli(folder.path, ['restore', '--form', 'x', '--json'])
    expect(exitCode).toBe(2)
    expect(JSON.parse(stdout)).toEqual({
      schemaVersion: 1,
      command: 'restore',
      ok: false,
      exitCode: 2,
      error: { code: 'USAGE', message: "Unknown option '--form'.", hint: 'Did you mean --from?' },
    })
  })

  it('has colours only where they are wanted', async () => {
    using folder = tempFolder()
    const help = async (env: Record<string, string>, ...args: readonly string[]): Promise<boolean> =>
      (await runCli(folder.path, ['--help', ...args], { env })).stdout.includes('\u001b[')
    expect(await help({})).toBe(false)
    expect(await help({ FORCE_COLOR: '1' })).toBe(true)
    expect(await help({ FORCE_COLOR: '1' }, '--no-color')).toBe(false)
  })

  it('writes progress as lines into a log, and results alone to stdout', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'), { rows: 20, blobBytes: 1_000_000 })
    const { stdout, stderr } = await runCli(folder.path, ['backup', './app.db', '--to', './backups'])
    expect(stdout).toMatch(/^✔ Backed up app/)
    expect(stderr).toMatch(/^app \w+.* 100 % \(\d.* MB\)$/m)
    expect(stderr).not.toContain('\u001b[')
  })

  it('does to the end what it began when nobody reads on', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const line = 'set -o pipefail; "$0" "$1" backup ./app.db --to ./backups --json | true'
    const child = spawn('bash', ['-c', line, process.execPath, binPath()], { cwd: folder.path, stdio: 'ignore' })
    expect(await exitOf(child)).toBe(0)
    expect((await runCli(folder.path, ['list', '--from', './backups', '--quiet'])).stdout).toMatch(/^\d{8}T/)
  })

  it('does not fail when nobody reads its output to the end', async () => {
    using folder = tempFolder()
    const child = spawn('bash', ['-c', 'set -o pipefail; "$0" "$1" --help | head -n 1', process.execPath, binPath()], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    expect(await exitOf(child)).toBe(0)
    expect(folder.path).not.toBe('')
  })

  it('gives up after --timeout, with exit code 1, and leaves nothing that can be seen', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'), { rows: 40, blobBytes: 1_000_000 })
    const args = ['backup', './app.db', '--to', './backups', '--timeout', '1ms', '--json']
    const { exitCode, stdout } = await runCli(folder.path, args)
    expect(exitCode).toBe(1)
    expect(parseJsonLines(stdout).last.error).toMatchObject({
      code: 'ABORTED',
      message: expect.stringContaining('Not done'),
    })
    expect((await runCli(folder.path, ['list', '--from', './backups', '--quiet'])).stdout).toBe('')
  })

  it('stops cleanly on SIGTERM, with exit code 130, and the next run works', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'), { rows: 60, blobBytes: 1_000_000 })
    const child = startCli(folder.path, ['backup', './app.db', '--to', './backups', '--json'])
    const stdout = collect(child.stdout)
    const exited = exitOf(child)
    await stdout.until('backup.progress')
    child.kill('SIGTERM')
    expect(await exited).toBe(130)
    expect(parseJsonLines(stdout.text()).last).toMatchObject({ ok: false, exitCode: 130, error: { code: 'ABORTED' } })
    expect((await runCli(folder.path, ['list', '--from', './backups', '--quiet'])).stdout).toBe('')
    expect((await runCli(folder.path, ['backup', './app.db', '--to', './backups'])).exitCode).toBe(0)
  })

  it.runIf(process.platform === 'linux')('leaves at once when it is told a second time, whatever hangs', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'), { rows: 60, blobBytes: 1_000_000 })
    const child = startCli(folder.path, ['backup', './app.db', '--to', './backups', '--json'])
    const stdout = collect(child.stdout)
    const exited = once(child, 'exit') // Its pipes are its helpers', too.
    await stdout.until('backup.progress')
    const helpers = childrenOf(child.pid)
    for (const pid of helpers) process.kill(pid, 'SIGSTOP')
    child.kill('SIGTERM')
    await new Promise((resolve) => setTimeout(resolve, 1000)) // Two signals of one key press are one.
    child.kill('SIGTERM')
    expect(await exited).toEqual([130, null])
    // Its helpers see that it is gone, and leave.
    for (const pid of helpers) process.kill(pid, 'SIGCONT')
    expect((await runCli(folder.path, ['backup', './app.db', '--to', './backups'])).exitCode).toBe(0)
  })

  it('exits with 4 while another run has the database, and does not wait longer than it may', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'), { rows: 100, blobBytes: 1_000_000 })
    const first = startCli(folder.path, ['backup', './app.db', '--to', './backups', '--json'])
    const firstExited = exitOf(first)
    await collect(first.stdout).until('backup.progress')
    first.kill('SIGSTOP')
    const second = await runCli(folder.path, ['backup', './app.db', '--to', './backups', '--wait', '1ms'])
    first.kill('SIGCONT')
    expect({ exitCode: second.exitCode, stderr: second.stderr }).toEqual({
      exitCode: 4,
      stderr: expect.stringContaining('LOCKED'),
    })
    expect(await firstExited).toBe(0)
  })
})

/** The processes that a process has started. */
function childrenOf(pid: number | undefined): readonly number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)
}

/** What a stream says, as it comes. */
function collect(stream: Readable | null): { text(): string; until(needle: string): Promise<void> } {
  let text = ''
  const found = Promise.withResolvers<void>()
  let wanted: string | undefined
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    if (wanted !== undefined && text.includes(wanted)) found.resolve()
  })
  return {
    text: () => text,
    until(needle) {
      wanted = needle
      return found.promise
    },
  }
}

function binPath(): string {
  return new URL('../bin/sqlite-backup.js', import.meta.url).pathname
}
