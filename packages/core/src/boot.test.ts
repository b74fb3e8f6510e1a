import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hostSuite } from './start/host-suite.ts'
import { createMachine, type Machine } from './start/testing/machine.ts'
import { plainApp } from './start/testing/plain-app.ts'

const boot = new URL('./boot.ts', import.meta.url).href
const command = (app: string) => [process.execPath, '--import', boot, app]

hostSuite({ name: 'node --import @sqlite-backup/core/boot', command })

describe('boot', { timeout: 60_000 }, () => {
  let root: string
  let count = 0

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'boot-'))
  })
  afterAll(() => rmSync(root, { recursive: true }))

  /** A machine with an empty disk, on which an app of ours starts; the storage has the rows of another one. */
  async function freshMachine(source: string, file = 'app.js'): Promise<Machine> {
    const name = `machine-${++count}`
    const first = createMachine({ root, name: `${name}-before`, storage: name, command })
    const app = await first.start()
    await app.add('one')
    await app.stop()
    return createMachine({ root, name, command, app: { file, source } })
  }

  const restores = (output: string): number => output.split('was restored from').length - 1

  it('is done before a CommonJS main requires anything', async () => {
    const here = await freshMachine(
      `const { DatabaseSync } = require('node:sqlite')
       const [{ label }] = new DatabaseSync('data/app.db').prepare('SELECT label FROM t').all()
       console.log('found', label)`,
      'app.cjs',
    )
    const app = here.launch()
    expect(await app.ended).toBe(0)
    expect(app.output()).toContain('found one')
  })

  it.each([
    ['just ends', '', 0],
    ['calls process.exit()', 'process.exit(3)', 3],
  ])('backs up what a script did that %s', async (_, end, code) => {
    const here = await freshMachine(
      `import { DatabaseSync } from 'node:sqlite'
       new DatabaseSync('data/app.db').exec("INSERT INTO t VALUES ('by the script')")
       ${end}`,
    )
    expect(await here.launch({ SQLITE_BACKUP_STOP_DEADLINE: '30s' }).ended).toBe(code)
    expect((await here.backups()).map(({ tier }) => tier)).toEqual(['shutdown', 'shutdown'])
  })

  it('makes a last backup although the app handles SIGTERM itself and ends with process.exit()', async () => {
    const here = await freshMachine(
      `${plainApp}
       process.on('SIGTERM', () => setTimeout(() => { console.log('bye'); process.exit(3) }, 1500))`,
    )
    const app = await here.start()
    await app.add('two')
    expect(await app.stop()).toBe(3)
    expect(app.output()).toContain('bye')
    expect(await here.backups()).toHaveLength(2)
  })

  it('makes it although the app ends at once, with what it wrote last', async () => {
    const here = await freshMachine(
      `${plainApp}
       process.chdir('/')
       process.on('SIGTERM', () => server.close(() => {
         db.exec("INSERT INTO t VALUES ('at the end')")
         db.close()
         process.exit(0)
       }))`,
    )
    const app = await here.start({ SQLITE_BACKUP_STOP_DEADLINE: '30s' })
    await app.add('two')
    expect(await app.stop()).toBe(0)
    const next = createMachine({ root, name: `next-${count}`, storage: `machine-${count}`, command })
    const after = await next.start()
    expect(await after.rows()).toEqual(['one', 'two', 'at the end'])
    await after.stop()
  })

  it('says so when the app ends at once and the storage takes nothing, and ends in time', async () => {
    const here = await freshMachine(`${plainApp}\nprocess.on('SIGTERM', () => process.exit(4))`)
    const app = await here.start({ SQLITE_BACKUP_STOP_DEADLINE: '3s', FAULT: 'hang:put' })
    await app.add('two')
    expect(await app.stop()).toBe(4)
    expect(app.output()).toMatch(
      /It waits in the spool|There was no time for a last backup|was no time for one after it/,
    )
  })

  it('lets an app that closes everything on SIGTERM end by itself, and backs up after that', async () => {
    const here = await freshMachine(
      `${plainApp}
       process.on('SIGTERM', () => server.close(() => { db.exec("INSERT INTO t VALUES ('at the end')"); db.close() }))`,
    )
    const app = await here.start()
    expect(await app.stop()).toBe(0)
    const next = createMachine({ root, name: `next-${count}`, storage: `machine-${count}`, command })
    const after = await next.start()
    expect(await after.rows()).toEqual(['one', 'at the end'])
    await after.stop()
  })

  it.each(['flags', 'NODE_OPTIONS'])('does not recurse into children and threads of the app (by %s)', async (how) => {
    const here = await freshMachine(
      `import { fork, spawnSync } from 'node:child_process'
       import { once } from 'node:events'
       import { isMainThread, Worker } from 'node:worker_threads'
       const role = process.argv[2] ?? (isMainThread ? 'main' : 'thread')
       console.log('role', role)
       if (role === 'main') {
         await once(new Worker(new URL(import.meta.url)), 'exit')
         await once(fork(process.argv[1], ['fork']), 'exit')
         spawnSync(process.execPath, [...process.execArgv, process.argv[1], 'spawn'], { stdio: 'inherit' })
       }`,
    )
    const app =
      how === 'flags'
        ? here.launch()
        : createMachine({
            root,
            name: `options-${count}`,
            storage: `machine-${count}`,
            command: () => [process.execPath, join(here.dir, 'app.js')],
          }).launch({ NODE_OPTIONS: `--import ${boot}` })
    expect(await app.ended).toBe(0)
    const lines = app.output().trim().split('\n')
    expect(lines.filter((line) => line.startsWith('role')).sort()).toEqual([
      'role fork',
      'role main',
      'role spawn',
      'role thread',
    ])
    expect(restores(app.output())).toBe(1)
    // Whatever is said is said by one process.
    expect(new Set(lines).size).toBe(lines.length)
  })

  it('restores once for a cluster of four workers, and backs up once when it stops', async () => {
    const here = await freshMachine(
      `import cluster from 'node:cluster'
       import { DatabaseSync } from 'node:sqlite'
       if (cluster.isPrimary) {
         for (let i = 0; i < 4; i++) cluster.fork()
         let ready = 0
         cluster.on('message', () => { if (++ready === 4) console.log('listening 1') })
       } else {
         const db = new DatabaseSync('data/app.db')
         db.exec('PRAGMA busy_timeout = 5000')
         db.exec("INSERT INTO t VALUES ('worker')")
         process.send('ready')
       }`,
    )
    const app = here.launch()
    await app.waitFor(/listening/)
    app.child.kill('SIGTERM')
    await app.ended
    expect(restores(app.output())).toBe(1)
    expect(await here.backups()).toHaveLength(2)
    expect(here.rows()).toEqual(['one', 'worker', 'worker', 'worker', 'worker'])
  })

  it('shares its engine with whoever opens the same database in this process', async () => {
    const here = await freshMachine(
      `import { openBackup } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)}
       const [a, b, alone] = [await openBackup(undefined, { shared: true }), await openBackup(undefined, { shared: true }), await openBackup()]
       console.log('same', a === b, 'alone', a !== alone)
       await alone.close()
       await a.close()
       const c = await openBackup(undefined, { shared: true })
       console.log('new after close', c !== a)
       await c.close()`,
    )
    const app = here.launch()
    expect(await app.ended).toBe(0)
    expect(app.output()).toContain('same true alone true')
    expect(app.output()).toContain('new after close true')
  })

  it('says so when nothing is configured, and lets the app start', async () => {
    const here = await freshMachine(`console.log('started')`)
    const app = here.launch({ SQLITE_BACKUP_CONFIG: join(here.dir, 'package.json') })
    expect(await app.ended).toBe(1)
    rmSync(join(here.dir, 'sqlite-backup.config.mjs'))
    const bare = here.launch()
    expect(await bare.ended).toBe(0)
    expect(bare.output()).toContain('No database is configured')
    expect(bare.output()).toContain('started')
  })
})
