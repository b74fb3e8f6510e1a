import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createMachine, hostSuite, type Machine, plainApp } from '@sqlite-backup/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeDatabase, tempFolder } from '../testing/make-database.ts'
import { keys, runCli, runInTerminal } from '../testing/run-cli.ts'

const bin = fileURLToPath(new URL('../../bin/sqlite-backup.js', import.meta.url))
const command = (app: string) => [process.execPath, bin, 'run', '--', process.execPath, app]

hostSuite({ name: 'sqlite-backup run', command })

describe('run', { timeout: 60_000 }, () => {
  let root: string
  let count = 0

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'run-'))
  })
  afterAll(() => rmSync(root, { recursive: true }))

  /** A machine with an app of ours: the plain one, and something more. */
  function machine(more: string, words = command): Machine {
    const source = `${plainApp}\nconst add = (label) => db.prepare('INSERT INTO t VALUES (?)').run(label)\n${more}`
    return createMachine({ root, name: `machine-${++count}`, command: words, app: { file: 'app.js', source } })
  }

  it('passes signals on, ends with the exit code of the app, and backs up what it did at the end', async () => {
    const here = machine(`
      for (const signal of ['SIGHUP', 'SIGUSR2']) process.on(signal, () => console.log('heard ' + signal))
      process.on('SIGTERM', () => { add('at the end'); process.exit(3) })`)
    const app = await here.start()
    for (const signal of ['SIGHUP', 'SIGUSR2'] as const) {
      app.child.kill(signal)
      await app.waitFor(new RegExp(`heard ${signal}`))
    }
    expect(await app.stop()).toBe(3)
    expect(await here.backups()).toHaveLength(1)
    expect(here.rows()).toEqual(['at the end'])
  })

  it('backs up after an app that crashes, too, and fails as it failed', async () => {
    const here = machine(`add('before the crash'); process.kill(process.pid, 'SIGKILL')`)
    expect(await here.launch().ended).toBe(137)
    expect(await here.backups()).toHaveLength(1)
  })

  it('does not wait for an app that takes its time, and backs up again what it did after that', async () => {
    // It ends when there is a backup, and only then.
    const here = machine(`
      const { existsSync } = await import('node:fs')
      process.on('SIGTERM', () => setInterval(() => {
        if (!existsSync(process.env.STORAGE + '/app/catalog')) return
        add('after the last call')
        process.exit(0)
      }, 20))`)
    const app = await here.start({ STORAGE: here.storage, SQLITE_BACKUP_STOP_DEADLINE: '8s' })
    await app.add('one')
    expect(await app.stop()).toBe(0)
    expect(await here.backups()).toHaveLength(2)
  })

  it('reaches an app behind a shell that does not pass signals on', async () => {
    const here = machine(
      `process.on('SIGTERM', () => { add('at the end'); console.log('ended well'); process.exit() })`,
      (file) => [process.execPath, bin, 'run', '--', 'sh', '-c', `${process.execPath} ${file}; true`],
    )
    const app = await here.start()
    await app.stop()
    expect(app.output()).toContain('ended well')
    expect(await here.backups()).toHaveLength(1)
    expect(here.rows()).toEqual(['at the end'])
  })

  it('does once what NODE_OPTIONS=--import @sqlite-backup/core/boot would do again', async () => {
    const boot = import.meta.resolve('@sqlite-backup/core/boot')
    const here = machine('')
    const app = await here.start({ NODE_OPTIONS: `--import ${boot}` })
    await app.stop()
    expect(app.output().split('the app starts with an empty database')).toHaveLength(2)
  })

  it('needs no config, and leaves stdout to the app', async () => {
    using folder = tempFolder()
    makeDatabase(join(folder.path, 'app.db'))
    const args = ['run', '--db', './app.db', '--to', './backups', '--quiet', '--', 'echo', 'the app']
    expect(await runCli(folder.path, args)).toMatchObject({ exitCode: 0, stdout: 'the app\n' })
    expect(existsSync(join(folder.path, 'backups/app/catalog'))).toBe(true)
  })

  it('says what cannot be started, and what makes no sense', async () => {
    using folder = tempFolder()
    const run = async (...args: readonly string[]) => {
      const { exitCode, stderr } = await runCli(folder.path, ['run', ...args])
      return `${exitCode} ${stderr}`
    }
    expect(await run('--db', './app.db', '--to', './b', '--', 'no-such-app')).toMatch(
      /^1 [\s\S]*✖ no-such-app could not be started: .*ENOENT/,
    )
    expect(await run('--json', '--', 'true')).toMatch(/^2 ✖ --json is not for run/)
    expect(await run('--timeout', '5s', '--', 'true')).toMatch(/^2 ✖ --timeout is not for run/)
    expect(await run('--db', 'app', '--', 'true')).toMatch(/^2 ✖ --db .* names a file/)
    expect(await run('--to', 'offsite', '--', 'true')).toMatch(/^2 ✖ --to is for a run without a config/)
  })

  it('on a terminal, Ctrl+C reaches the app once', async () => {
    using folder = tempFolder()
    writeFileSync(
      join(folder.path, 'app.mjs'),
      `let heard = 0
       process.on('SIGINT', () => {
         if (++heard === 1) setTimeout(() => { console.log('heard it ' + heard + ' times'); process.exit(0) }, 300)
       })
       setInterval(() => {}, 1000)
       console.log('is up')`,
    )
    const args = ['run', '--db', './app.db', '--to', './b', '--', process.execPath, 'app.mjs']
    const session = runInTerminal(folder.path, args)
    await session.waitFor(/is up/)
    session.send(keys.ctrlC)
    expect(await session.exited).toBe(0)
    expect(session.text()).toContain('heard it 1 times')
  })
})

const canMakeNamespaces = process.platform === 'linux' && process.getuid?.() === 0
if (!canMakeNamespaces) console.warn('SKIPPED TEST, run as process 1: only root on Linux can make a namespace.')

describe.skipIf(!canMakeNamespaces)('run as process 1', { timeout: 60_000 }, () => {
  /** Runs in a namespace of processes of its own, like a container. */
  const inNamespace = (words: readonly string[]) => [
    'unshare',
    '--pid',
    '--fork',
    '--mount-proc',
    '--kill-child',
    ...words,
  ]

  it('takes leave of orphans, passes SIGTERM on, and ends with the exit code of the app', async () => {
    using folder = tempFolder()
    const source = `
      import { spawn } from 'node:child_process'
      import { readdirSync, readFileSync } from 'node:fs'
      ${plainApp}
      process.on('SIGTERM', () => { db.exec("INSERT INTO t VALUES ('at the end')"); process.exit(3) })
      const stateOf = (pid) => { try { return readFileSync('/proc/' + pid + '/stat', 'utf8').split(' ')[2] } catch { return 'gone' } }
      const processes = () => readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))
      // It ends at once, and its own child after it.
      spawn('sh', ['-c', 'sleep 0.2 & echo $! >&3'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] }).stdio[3].on('data', (text) => {
        const orphan = Number(text)
        const look = setInterval(() => {
          if (!['gone', 'Z'].includes(stateOf(orphan))) return
          // A moment may pass between the end of a process and its leave.
          if (processes().some((pid) => stateOf(pid) === 'Z')) return
          clearInterval(look)
          console.log('zombies: 0')
        }, 20)
      })`
    const here = createMachine({
      root: folder.path,
      name: 'container',
      command: (app) => inNamespace(command(app)),
      app: { file: 'app.js', source },
    })
    const app = await here.start()
    await app.waitFor(/zombies: 0/)
    // Only a signal to process 1 itself is what a container gets.
    process.kill(childOf(app.child.pid ?? 0), 'SIGTERM')
    expect(await app.ended).toBe(3)
    expect(await here.backups()).toHaveLength(1)
    expect(here.rows()).toEqual(['at the end'])
  })

  it('lets the app read what was meant for it', () => {
    using folder = tempFolder()
    const args = [bin, 'run', '--quiet', '--db', './app.db', '--to', './backups', '--', 'cat']
    const [command = '', ...rest] = inNamespace([process.execPath, ...args])
    expect(execFileSync(command, rest, { cwd: folder.path, input: 'for the app', encoding: 'utf8' })).toBe(
      'for the app',
    )
  })

  it('ends though the app has no handler for the signal, which process 1 itself would never hear', async () => {
    using folder = tempFolder()
    const here = createMachine({ root: folder.path, name: 'container', command: (app) => inNamespace(command(app)) })
    const app = await here.start()
    await app.add('one')
    process.kill(childOf(app.child.pid ?? 0), 'SIGTERM')
    expect(await app.ended).toBe(143)
    expect(await here.backups()).toHaveLength(1)
  })
})

function childOf(pid: number): number {
  return Number(execFileSync('ps', ['--ppid', String(pid), '-o', 'pid='], { encoding: 'utf8' }))
}
