import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Config, openBackup, type SqliteBackup, type Storage } from '@sqlite-backup/core'
import { faulty, memory } from '@sqlite-backup/core/testing'
import BetterSqlite from 'better-sqlite3'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { type SqliteBackupOptions, sqliteBackup } from './plugin.ts'

let root: string
let dir: string
let path: string
let storage: Storage
let count = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'fastify-'))
})
beforeEach(() => {
  dir = join(root, String(count++))
  mkdirSync(dir)
  path = join(dir, 'app.db')
  storage = memory()
})
afterAll(() => rmSync(root, { recursive: true }))

const ignore = (): void => {}
const configOf = (store: Storage = storage): Config => ({
  databases: { app: path },
  storages: { store },
  // Where schedules matter a test names one: the hourly job would make up, within 30 s, for a run it never had.
  jobs: false,
  stop: { deadline: '3s' },
  log: { debug: ignore, info: ignore, warn: ignore, error: ignore },
})

/** What an app's own plugin does: opens the database, and closes it. */
const database = fp(async (app: FastifyInstance) => {
  const db = new BetterSqlite(path)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE IF NOT EXISTS t (label TEXT)')
  app.decorate('db', db)
  app.addHook('onClose', async () => {
    db.close()
  })
})

declare module 'fastify' {
  interface FastifyInstance {
    db: BetterSqlite.Database
  }
}

function build(options: SqliteBackupOptions, server: { pluginTimeout?: number } = {}): FastifyInstance {
  const app = Fastify(server)
  app.register(sqliteBackup, options)
  app.register(database)
  return app
}

const add = (app: FastifyInstance, label: string): void => void app.db.prepare('INSERT INTO t VALUES (?)').run(label)
const labels = (app: FastifyInstance): unknown => app.db.prepare('SELECT label FROM t').pluck().all()

async function listed(from: Storage = storage, name = 'app') {
  const backup = await openBackup({ databases: { [name]: path }, storages: { store: from } })
  const { items } = await backup.list(name)
  await backup.close()
  return items
}

/** A backup in the storage, and nothing on the disk. */
async function backedUp(label: string): Promise<void> {
  const app = build({ config: configOf() })
  await app.listen({ port: 0 })
  add(app, label)
  await app.close()
  rmSync(dir, { recursive: true })
  mkdirSync(dir)
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Every request takes longer than the pluginTimeout of the tests. */
function slow(inner: Storage): Storage {
  return {
    ...inner,
    list: async (...args) => {
      await later(300)
      return inner.list(...args)
    },
  }
}

describe('start', () => {
  test('a restore that takes longer than pluginTimeout is waited for, and then the next plugin opens the database', async () => {
    await backedUp('one')
    const app = build({ config: configOf(slow(storage)) }, { pluginTimeout: 100 })
    await app.ready()
    expect(labels(app)).toEqual(['one'])
    await app.close()
  })

  test('`await app.register` waits for it, too, and the decorator is there', async () => {
    await backedUp('one')
    const app = Fastify({ pluginTimeout: 100 })
    await app.register(sqliteBackup, { config: configOf(slow(storage)) })
    expect(app.sqliteBackup.databases).toEqual(['app'])
    expect(app.hasPlugin('@sqlite-backup/fastify')).toBe(true)
    expectTypeOf(app.sqliteBackup).toEqualTypeOf<SqliteBackup>()
    await app.close()
  })

  test('a failed restore rejects listen(), no later plugin runs, and nothing is uploaded on close', async () => {
    await backedUp('one')
    const before = await listed()
    const down = faulty(storage, [{ on: 'list', times: 99, code: 'STORAGE_DENIED' }])
    const app = build({ config: configOf(down) })
    await expect(app.listen({ port: 0 })).rejects.toMatchObject({ code: 'STORAGE_DENIED' })
    expect(app.hasDecorator('db')).toBe(false)
    // As if the app had made its empty database all the same.
    new BetterSqlite(path).exec('CREATE TABLE t (label TEXT)').close()
    await app.close()
    expect(await listed()).toEqual(before)
  })

  test('onMissingBackup and restore are passed on', async () => {
    const app = build({ config: configOf(), onMissingBackup: 'fail' })
    await expect(app.ready()).rejects.toMatchObject({ code: 'BACKUP_NOT_FOUND' })
    await app.close()
    const skipping = build({ config: configOf(), onMissingBackup: 'fail', restore: false })
    await skipping.ready()
    await skipping.close()
  })

  test('migrate runs after the restore, before every later plugin, and as long as it takes', async () => {
    await backedUp('one')
    const app = build(
      {
        config: configOf(),
        async migrate(backup) {
          await later(300)
          expect(backup.databases).toEqual(['app'])
          const db = new BetterSqlite(path)
          db.exec("INSERT INTO t VALUES ('migrated')")
          db.close()
        },
      },
      { pluginTimeout: 100 },
    )
    await app.ready()
    expect(labels(app)).toEqual(['one', 'migrated'])
    await app.close()
  })

  test('a failed migration rejects listen(), and what it left behind is not backed up on close', async () => {
    await backedUp('one')
    const before = await listed()
    const app = build({
      config: configOf(),
      migrate() {
        new BetterSqlite(path).exec('DELETE FROM t').close()
        throw new Error('half-way')
      },
    })
    await expect(app.listen({ port: 0 })).rejects.toThrow('half-way')
    await app.close()
    expect(await listed()).toEqual(before)
  })

  test('several databases are restored, each from its own backups', async () => {
    const other = join(dir, 'jobs.db')
    const config: Config = { ...configOf(), databases: { app: path, jobs: other } }
    const open = async (): Promise<FastifyInstance> => {
      const app = build({ config })
      await app.listen({ port: 0 })
      return app
    }
    const first = await open()
    add(first, 'app')
    new BetterSqlite(other).exec("CREATE TABLE t (label TEXT); INSERT INTO t VALUES ('jobs')").close()
    await first.close()
    rmSync(dir, { recursive: true })
    mkdirSync(dir)
    const second = await open()
    expect(labels(second)).toEqual(['app'])
    expect(new BetterSqlite(other).prepare('SELECT label FROM t').pluck().all()).toEqual(['jobs'])
    await second.close()
  })

  test('a config file does', async () => {
    writeFileSync(join(dir, 'package.json'), '{}')
    writeFileSync(
      join(dir, 'sqlite-backup.config.json'),
      JSON.stringify({ databases: { app: 'app.db' }, storages: { disk: './backups' } }),
    )
    process.env.SQLITE_BACKUP_CONFIG = join(dir, 'sqlite-backup.config.json')
    try {
      const app = Fastify()
      app.register(sqliteBackup)
      await app.ready()
      expect(app.sqliteBackup.storages).toEqual(['disk'])
      await app.close()
    } finally {
      delete process.env.SQLITE_BACKUP_CONFIG
    }
  })

  test('an option that does not exist is refused with the nearest one', async () => {
    const app = Fastify()
    // @ts-expect-error: that is the point
    app.register(sqliteBackup, { config: configOf(), onMissingBackups: 'fail' })
    await expect(app.ready()).rejects.toThrow(/Unknown option "onMissingBackups".*Did you mean "onMissingBackup"\?/)
    const nested = Fastify()
    // @ts-expect-error: likewise
    nested.register(sqliteBackup, { config: configOf(), close: { deadlin: '5s' } })
    await expect(nested.ready()).rejects.toThrow(/Unknown option "deadlin".*Did you mean "deadline"\?/)
    const second = Fastify()
    second.register(sqliteBackup, { config: configOf(), logLevel: 'warn' } as SqliteBackupOptions)
    await second.ready()
    await second.close()
  })
})

describe('under inject()', () => {
  test('no schedule starts, and closing backs nothing up', async () => {
    const app = build({ config: { ...configOf(), jobs: { often: { schedule: '* * * * * *' } } } })
    app.get('/', async () => 'ok')
    expect((await app.inject('/')).body).toBe('ok')
    add(app, 'by a test')
    const events: string[] = []
    app.sqliteBackup.onAny((name) => events.push(name))
    await later(1500)
    expect(events).toEqual([])
    await app.close()
    expect(await listed()).toEqual([])
  })

  test('nothing is left that keeps the process alive, closed or not', async () => {
    const source = `
      import Fastify from 'fastify'
      import { sqliteBackup } from ${JSON.stringify(new URL('./plugin.ts', import.meta.url).href)}
      const app = Fastify()
      app.register(sqliteBackup, { config: { databases: { app: ${JSON.stringify(path)} }, storages: { disk: ${JSON.stringify(join(dir, 'b'))} } } })
      app.get('/', async () => 'ok')
      console.log((await app.inject('/')).body)
      if (process.env.CLOSE) await app.close()`
    for (const CLOSE of ['', '1']) {
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source], {
        cwd: import.meta.dirname,
        env: { ...process.env, CLOSE, NODE_NO_WARNINGS: '1' },
      })
      expect(stdout).toBe('ok\n')
    }
  })
})

describe('close', () => {
  /** The app listens, with a route that takes a while and one that never ends. */
  async function listening(options: Partial<SqliteBackupOptions> = {}) {
    const app = build({ config: configOf(), ...options }, {})
    const began = Promise.withResolvers<void>()
    app.get('/slow', async () => {
      began.resolve()
      await later(200)
      add(app, 'by the last request')
      return 'done'
    })
    app.get('/forever', (_request, reply) => {
      reply.hijack()
      reply.raw.writeHead(200)
      reply.raw.write('and so on ')
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { app, port: (app.server.address() as AddressInfo).port, began: began.promise }
  }

  test('a keep-alive client in the middle of a request gets its answer, is in the last backup, and delays nothing', async () => {
    const { app, port, began } = await listening()
    const agent = new Agent({ keepAlive: true })
    const answer = new Promise<string | undefined>((resolve, reject) => {
      get({ port, path: '/slow', agent, host: '127.0.0.1' }, (response) => {
        response.setEncoding('utf8').once('data', resolve)
      }).once('error', reject)
    })
    await began
    // Fastify's keepAliveTimeout is 72 s: without a sweep that is how long this would take.
    await app.close()
    expect(await answer).toBe('done')
    agent.destroy()
    expect(await listed()).toMatchObject([{ tier: 'shutdown' }])
    rmSync(path)
    const next = build({ config: configOf() })
    await next.ready()
    expect(labels(next)).toEqual(['by the last request'])
    await next.close()
  })

  test('clients that never end are cut off in time for the last backup', async () => {
    const { app, port } = await listening()
    add(app, 'one')
    const endless = connect(port, '127.0.0.1')
    endless.write('GET /forever HTTP/1.1\r\nhost: app\r\n\r\n')
    await new Promise((resolve) => endless.once('data', resolve))
    const gone = new Promise((resolve) => endless.once('close', resolve))
    await app.close()
    await gone
    expect(await listed()).toMatchObject([{ tier: 'shutdown' }])
  })

  test('another plugin that never closes does not cost the last backup', async () => {
    const { app } = await listening()
    const made = new Promise((resolve) => app.sqliteBackup.on('backup.succeeded', resolve))
    add(app, 'one')
    const stuck = Promise.withResolvers<void>()
    // Hooks cannot be added to an app that listens; its server can be kept open.
    const { close } = app.server
    Reflect.set(app.server, 'close', (done: () => void) => void stuck.promise.then(() => close.call(app.server, done)))
    const closed = app.close()
    await made
    stuck.resolve()
    await closed
    // SQLite folds the WAL into the file as the app closes its database, and that may be backed up once more.
    const tiers = (await listed()).map(({ tier }) => tier)
    expect([['shutdown'], ['shutdown', 'shutdown']]).toContainEqual(tiers)
  })

  test('a storage that hangs does not keep it', async () => {
    const never = (): Promise<never> => new Promise(() => {})
    const { app } = await listening({ config: configOf({ ...storage, put: never }), close: { deadline: '1s' } })
    const kept = new Promise((resolve) => app.sqliteBackup.on('backup.kept', resolve))
    add(app, 'one')
    await app.close()
    await kept
    expect(await listed()).toEqual([])
  })

  test('an app that handles SIGTERM itself and forgets app.close() is told so', async () => {
    const endOf = async (atTheEnd: string) => {
      const source = `
        import Fastify from 'fastify'
        import { sqliteBackup } from ${JSON.stringify(new URL('./plugin.ts', import.meta.url).href)}
        const app = Fastify()
        app.register(sqliteBackup, { config: { databases: { app: ${JSON.stringify(path)} }, storages: { disk: ${JSON.stringify(join(dir, 'b'))} }, jobs: false } })
        process.on('SIGTERM', () => ${atTheEnd})
        await app.listen({ port: 0, host: '127.0.0.1' })
        process.kill(process.pid, 'SIGTERM')`
      const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', source], {
        cwd: import.meta.dirname,
        env: { ...process.env, NODE_NO_WARNINGS: '1' },
      })
      return stderr
    }
    const warning = 'The app ended before app.close() was through'
    expect(await endOf('app.server.close(() => process.exit(0))')).toContain(warning)
    expect(await endOf('app.close().then(() => process.exit(0))')).not.toContain(warning)
  })

  test('no last backup with close.backup: false', async () => {
    const { app } = await listening({ close: { backup: false } })
    add(app, 'one')
    await app.close()
    expect(await listed()).toEqual([])
  })

  test('an engine that was opened elsewhere is used, and closed', async () => {
    const backup = await openBackup(configOf())
    const app = build({ backup })
    await app.listen({ port: 0 })
    expect(app.sqliteBackup).toBe(backup)
    await app.close()
    await expect(backup.backup()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(await listed()).toMatchObject([{ tier: 'shutdown' }])
  })
})
