import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { getPriority } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { createCaptureClient } from './client.ts'
import {
  backUp,
  isAlive,
  readBooks,
  runEngine,
  startApp,
  startEngine,
  tempDir,
  testClient,
  until,
} from './testing/fixture.ts'

const pause = (step: 'pinned' | 'read', ms: number) => ({ SQLITE_BACKUP_TEST_PAUSE: `${step}:${ms}` })

async function makeDatabase(): Promise<string> {
  const path = join(tempDir(), 'app.db')
  await (await startApp({ path })).stop()
  return path
}

/** What a process has open, by name. */
function openFiles(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`)
    } catch (error) {
      // Closed meanwhile.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
      throw error
    }
  })
}

describe('the capture process is born', () => {
  test.runIf(process.platform === 'linux')(
    'with a pool of threads behind the app, and a main thread beside it',
    async () => {
      const client = testClient()
      const { pid } = await client.hello(undefined)
      const behind = (): number =>
        readdirSync(`/proc/${pid}/task`).filter((thread) => getPriority(Number(thread)) > getPriority()).length
      await until('four threads are behind', () => behind() >= 4)
      expect(getPriority(pid)).toBe(getPriority())
    },
  )

  test.runIf(process.platform === 'linux')(
    'beside the app only until it keeps no writer waiting: then all of it is behind, and another is to pin and to lock',
    async () => {
      const path = await makeDatabase()
      const client = testClient()
      const spoolDir = tempDir()
      await client.lock({ spoolDir, waitMs: 0 })
      await backUp(client, path, { spoolDir })
      const pid = Number(client.pid)
      expect(getPriority(pid)).toBe(getPriority()) // For so little it is not worth it.
      const db = new DatabaseSync(path)
      db.exec('CREATE TABLE large AS SELECT zeroblob(17 * 1024 * 1024) AS bytes')
      db.close()
      await backUp(client, path, { spoolDir })
      expect(client.pid).toBe(pid)
      await until('the main thread is behind, too', () => getPriority(pid) > getPriority())
      await client.unlock({ spoolDir })
      expect((await client.hello(undefined)).pid).toBe(pid)
      await client.lock({ spoolDir, waitMs: 10_000 })
      expect(client.pid).not.toBe(pid)
      expect(getPriority(Number(client.pid))).toBe(getPriority())
    },
  )

  /** A module that writes down which processes loaded it. */
  function makeHook(): { hook: string; loadedBy: () => number[] } {
    const dir = tempDir()
    const [hook, log] = [join(dir, 'hook.mjs'), join(dir, 'log')]
    writeFileSync(hook, `import fs from 'node:fs'; fs.appendFileSync(${JSON.stringify(log)}, process.pid + '\\n')`)
    return { hook, loadedBy: () => readFileSync(log, 'utf8').trim().split('\n').map(Number) }
  }

  test('without the --import of its parent, which would start over in it', async () => {
    const path = await makeDatabase()
    const { hook, loadedBy } = makeHook()
    const engine = startEngine({ path, spoolFile: `${path}.image` }, { nodeFlags: ['--import', hook] })
    await engine.told('result')
    await engine.exited
    expect(loadedBy()).toEqual([engine.process.pid])
  })

  test('without the NODE_OPTIONS of its parent', async () => {
    const path = await makeDatabase()
    const { hook, loadedBy } = makeHook()
    const env = { ...process.env, NODE_OPTIONS: `--import ${pathToFileURL(hook)}` }
    const engine = startEngine({ path, spoolFile: `${path}.image` }, { env })
    await engine.told('result')
    await engine.exited
    expect(loadedBy()).toEqual([engine.process.pid])
  })

  test('as nobody else’s worker, when its parent is one of a cluster', async () => {
    const path = await makeDatabase()
    const script = `
      import cluster from 'node:cluster'
      cluster.setupPrimary({ exec: ${JSON.stringify(join(import.meta.dirname, 'testing/engine.ts'))}, args: [process.argv[1]], execArgv: [] })
      cluster.on('online', () => console.log('online'))
      cluster.fork().on('exit', (code) => process.exit(code))`
    const options = JSON.stringify({ path, spoolFile: `${path}.image` })
    const primary = spawn(process.execPath, ['--input-type=module', '-e', script, options], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let told = ''
    primary.stdout.on('data', (chunk) => {
      told += chunk
    })
    await new Promise((resolve) => primary.once('close', resolve))
    expect(told).toContain('"result"')
    expect(told.match(/online/g)).toHaveLength(1)
  })

  test('only where its file is', async () => {
    const client = testClient({ entry: pathToFileURL(join(tempDir(), 'bundled-away.js')) })
    await expect(client.hello(undefined)).rejects.toMatchObject({
      code: 'CAPTURE_ENTRY_MISSING',
      hint: expect.stringContaining('external'),
    })
  })

  test('with the first call and not before', async () => {
    const client = testClient()
    expect(client.pid).toBeUndefined()
    const { pid, sqlite } = await client.hello(undefined)
    expect(client.pid).toBe(pid)
    expect(sqlite).toMatch(/^3\.\d+\.\d+/)
  })
})

describe('the capture process goes', () => {
  test('some time after the last call, and a later call starts another', async () => {
    const client = testClient({ lingerMs: 200 })
    const first = await client.hello(undefined)
    await until('the process has left', () => !isAlive(first.pid))
    expect(client.pid).toBeUndefined()
    expect((await client.hello(undefined)).pid).not.toBe(first.pid)
  })

  test('with a script that has nothing else to do, which ends by itself', async () => {
    const engine = startEngine({ path: '', spoolFile: '', isIdle: true, lingerMs: 3_600_000 })
    const pid = await engine.told('pid')
    expect(await engine.exited).toEqual({ code: 0, signal: null })
    await until('the process has left', () => !isAlive(pid))
  })

  test('when its client is closed, which then refuses calls', async () => {
    const client = createCaptureClient()
    const { pid } = await client.hello(undefined)
    await client.close()
    expect(isAlive(pid)).toBe(false)
    await expect(client.hello(undefined)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('when its parent is killed, and takes the half-written body with it', async () => {
    const path = await makeDatabase()
    const spool = tempDir()
    const engine = startEngine({ path, spoolFile: join(spool, 'x.body'), env: pause('read', 60_000) })
    const pid = await engine.told('pid')
    await until('the body is begun', () => readdirSync(spool).length > 0)
    engine.process.kill('SIGKILL')
    await until('the process has left', () => !isAlive(pid))
    expect(readdirSync(spool)).toEqual([])
  })

  test('not by Ctrl+C, which reaches the whole process group: its parent decides', async () => {
    const path = await makeDatabase()
    const spoolFile = join(tempDir(), 'x.body')
    const engine = startEngine({ path, spoolFile, ignoresSignals: true, env: pause('read', 1_000) }, { detached: true })
    await engine.told('pid')
    await until('the body is begun', () => existsSync(spoolFile))
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(-Number(engine.process.pid), signal)
    await engine.told('result')
    expect(await engine.exited).toEqual({ code: 0, signal: null })
    expect(readBooks(spoolFile)).toMatchObject({ integrity: 'ok' })
  })

  test('with a parent that Ctrl+C ends', async () => {
    const path = await makeDatabase()
    const spool = tempDir()
    const engine = startEngine(
      { path, spoolFile: join(spool, 'x.body'), env: pause('read', 60_000) },
      { detached: true },
    )
    const pid = await engine.told('pid')
    await until('the body is begun', () => readdirSync(spool).length > 0)
    process.kill(-Number(engine.process.pid), 'SIGINT')
    expect(await engine.exited).toEqual({ code: null, signal: 'SIGINT' })
    await until('the process has left', () => !isAlive(pid))
    expect(readdirSync(spool)).toEqual([])
  })
})

describe('when the capture process is killed', () => {
  test('the call says so, the app writes on, and the next call works', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, gapMs: 1 })
    const client = testClient({ env: pause('read', 1_500) })
    const spoolDir = tempDir()
    const dying = backUp(client, path, { spoolDir })
    const died = expect(dying).rejects.toMatchObject({ code: 'CAPTURE_DIED', hint: expect.any(String) })
    await until('the body is begun', () => readdirSync(spoolDir).length > 0)
    process.kill(Number(client.pid), 'SIGKILL')
    await died
    const { image } = await backUp(client, path)
    expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000, holes: 0 })
    expect((await app.stop()).errors).toEqual({})
  })

  test('while idle, nobody notices', async () => {
    const client = testClient()
    const { pid } = await client.hello(undefined)
    process.kill(pid, 'SIGKILL')
    await until('it is gone', () => client.pid === undefined)
    expect((await client.hello(undefined)).pid).not.toBe(pid)
  })
})

describe('a capture process that always dies', () => {
  async function dyingClient() {
    const dir = tempDir()
    const [entry, log] = [join(dir, 'entry.mjs'), join(dir, 'log')]
    writeFileSync(entry, `import fs from 'node:fs'; fs.appendFileSync(${JSON.stringify(log)}, 'x'); process.exit(1)`)
    const client = testClient({ entry: pathToFileURL(entry) })
    // Now there is a back-off to wait for.
    await expect(client.hello(undefined)).rejects.toMatchObject({ code: 'CAPTURE_DIED' })
    return { client, starts: () => readFileSync(log, 'utf8').length }
  }

  test('is not started again for a client that is closed meanwhile', async () => {
    const { client, starts } = await dyingClient()
    const refused = expect(client.hello(undefined)).rejects.toMatchObject({ code: 'CLOSED' })
    await client.close()
    await refused
    expect(starts()).toBe(1)
  })

  test('is not started again for a call that is aborted meanwhile', async () => {
    const { client, starts } = await dyingClient()
    const controller = new AbortController()
    const refused = expect(client.hello(undefined, { signal: controller.signal })).rejects.toMatchObject({
      code: 'ABORTED',
    })
    controller.abort()
    await refused
    expect(starts()).toBe(1)
  })
})

describe('an aborted backup', () => {
  test('ends soon, says so, and leaves neither a body nor a pin', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, gapMs: 1 })
    const client = testClient({ env: pause('pinned', 60_000) })
    const spoolDir = tempDir()
    const controller = new AbortController()
    let pid: number | undefined
    const aborted = backUp(client, path, {
      spoolDir,
      signal: controller.signal,
      onEvent() {
        pid = client.pid
        controller.abort()
      },
    })
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' })
    expect(pid).toBeGreaterThan(0)
    expect(readdirSync(spoolDir)).toEqual([])
    expect(locksOf(Number(pid))).toEqual([])
    expect((await app.stop()).errors).toEqual({})
  })

  test('that was aborted before it began does not begin', async () => {
    const client = testClient()
    await expect(backUp(client, 'nowhere', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

/** The POSIX locks a process holds: https://man7.org/linux/man-pages/man5/proc_locks.5.html */
function locksOf(pid: number): string[] {
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[4] === String(pid))
    .map((fields) => `${fields[3]} ${fields[5]?.split(':')[2]} ${fields[6]}`)
}

describe.skipIf(process.platform !== 'linux')('the files of a live database', () => {
  test('are opened by the capture process only, and closed by it after each backup', async () => {
    const path = await makeDatabase()
    const engine = startEngine({ path, spoolFile: `${path}.image`, env: pause('read', 1_000) })
    const pid = await engine.told('pid')
    const opened = (): string[] => openFiles(pid).filter((file) => [path, `${path}-wal`, `${path}-shm`].includes(file))
    await until('the backup runs', () => new Set(opened()).size === 3)
    const seen = new Set<string>()
    for (; opened().length > 0; await delay(5)) for (const file of openFiles(Number(engine.process.pid))) seen.add(file)
    expect([...seen].filter((file) => file.startsWith(path))).toEqual([])
    await engine.told('result')
  })

  test('stay pinned for one backup when another of the same database ends, in the same process', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, gapMs: 1 })
    const client = testClient({ env: pause('pinned', 60_000) })
    const start = async (): Promise<() => Promise<void>> => {
      const controller = new AbortController()
      const pinned = Promise.withResolvers<void>()
      const run = backUp(client, path, { signal: controller.signal, onEvent: () => pinned.resolve() })
      const ended = expect(run).rejects.toMatchObject({ code: 'ABORTED' })
      await pinned.promise
      return () => {
        controller.abort()
        return ended
      }
    }
    const [endFirst, endSecond] = [await start(), await start()]
    const pid = Number(client.pid)
    const heldByBoth = locksOf(pid)
    await endFirst()
    await client.inspect({ path })
    // SHARED on the file, and on the -shm the dead-man switch and a read mark.
    expect(locksOf(pid).length).toBeGreaterThanOrEqual(3)
    expect(heldByBoth.length).toBeGreaterThanOrEqual(3)
    await endSecond()
    expect(locksOf(pid)).toEqual([])
    expect((await app.stop()).errors).toEqual({})
  })

  test('serve several backups at a time, each whole', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, gapMs: 0 })
    const client = testClient()
    const runs = Array.from({ length: 4 }, () => backUp(client, path))
    for (const { image } of await Promise.all(runs)) {
      expect(readBooks(image)).toMatchObject({ integrity: 'ok', sum: 200 * 1000, holes: 0 })
    }
    expect((await app.stop()).errors).toEqual({})
  })
})

describe('the lock of a spool', () => {
  test('lets one operation in at a time, across processes', async () => {
    const spoolDir = tempDir()
    const [a, b] = [testClient(), testClient()]
    await a.lock({ spoolDir, waitMs: 0 })
    await expect(b.lock({ spoolDir, waitMs: 100 })).rejects.toMatchObject({ code: 'LOCKED', hint: expect.any(String) })
    await expect(a.lock({ spoolDir, waitMs: 0 })).rejects.toMatchObject({ code: 'LOCKED' })
    const waiting = b.lock({ spoolDir, waitMs: 20_000 })
    await a.unlock({ spoolDir })
    await waiting
    await b.unlock({ spoolDir })
    expect(readFileSync(join(spoolDir, 'lock.db')).length).toBe(0)
    expect(readdirSync(spoolDir)).toEqual(['lock.db'])
  })

  test('is held as long as it is wanted, though nothing else is called', async () => {
    const spoolDir = tempDir()
    const [a, b] = [testClient({ lingerMs: 50 }), testClient()]
    await a.lock({ spoolDir, waitMs: 0 })
    await delay(400)
    await expect(b.lock({ spoolDir, waitMs: 0 })).rejects.toMatchObject({ code: 'LOCKED' })
    const pid = Number(a.pid)
    await a.unlock({ spoolDir })
    await until('the process has left', () => !isAlive(pid))
  })

  test('is freed by the kernel when its holder is killed', async () => {
    const spoolDir = tempDir()
    const holder = startEngine({ path: '', spoolFile: '', isIdle: true, lockDir: spoolDir, ignoresSignals: true })
    const pid = await holder.told('pid')
    process.kill(pid, 'SIGKILL')
    const client = testClient()
    await client.lock({ spoolDir, waitMs: 20_000 })
    await client.unlock({ spoolDir })
  })

  test('is gone with a killed capture process, and giving it back then is no error', async () => {
    const spoolDir = tempDir()
    const client = testClient()
    await client.lock({ spoolDir, waitMs: 0 })
    process.kill(Number(client.pid), 'SIGKILL')
    await until('it is gone', () => client.pid === undefined)
    await client.unlock({ spoolDir })
    await client.lock({ spoolDir, waitMs: 0 })
    await client.unlock({ spoolDir })
  })

  test('in a folder that is not there says so', async () => {
    const client = testClient()
    const spoolDir = join(tempDir(), 'missing')
    await expect(client.lock({ spoolDir, waitMs: 0 })).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
  })

  test('makes two engines on one database take turns, and both get theirs', async () => {
    const path = join(tempDir(), 'app.db')
    const app = await startApp({ path, gapMs: 1 })
    const spoolDir = tempDir()
    let inside = 0
    let most = 0
    const runs = Array.from({ length: 4 }, async () => {
      const client = testClient()
      await client.lock({ spoolDir, waitMs: 30_000 })
      most = Math.max(most, ++inside)
      const { image } = await backUp(client, path)
      inside--
      await client.unlock({ spoolDir })
      return readBooks(image)
    })
    for (const books of await Promise.all(runs)) expect(books).toMatchObject({ integrity: 'ok', sum: 200 * 1000 })
    expect(most).toBe(1)
    await app.stop()
  })
})

test('an engine in a process of its own backs up and ends by itself', async () => {
  const path = await makeDatabase()
  const { result, error } = await runEngine({ path, spoolFile: `${path}.image` })
  expect(error).toBeUndefined()
  expect(result?.source.pageSize).toBe(4096)
})
