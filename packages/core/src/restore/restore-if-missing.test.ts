import { fork } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCaptureClient } from '../capture/client.ts'
import type { Manifest } from '../catalog/manifest.ts'
import type { ErrorCode } from '../errors.ts'
import { faulty } from '../storage/faulty.ts'
import { filesystem } from '../storage/filesystem.ts'
import { memory } from '../storage/memory.ts'
import { bytesBody, type Storage } from '../storage/storage.ts'
import { createWorkClient } from '../work/client.ts'
import { type RestoreIfMissing, restoreIfMissing } from './restore-if-missing.ts'
import { storeBackupOf } from './testing/stored-backup.ts'

const capture = createCaptureClient()
const work = createWorkClient()
let root: string
let dir: string
let target: string
let storage: Storage
let count = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'boot-'))
})
beforeEach(() => {
  dir = join(root, `case ${count++}`)
  mkdirSync(dir)
  target = join(dir, 'data', 'app.db')
  storage = memory()
})
afterAll(async () => {
  await capture.close()
  rmSync(root, { recursive: true })
})

function make(file: string, label: string): BetterSqlite.Database {
  const app = new BetterSqlite(file)
  app.pragma('journal_mode = WAL')
  app.exec('CREATE TABLE t(label TEXT)')
  app.prepare('INSERT INTO t VALUES (?)').run(label)
  return app
}

async function store(
  label: string,
  created: string,
  storages: readonly Storage[] = [storage],
  lineage: Partial<Manifest['lineage']> = {},
): Promise<Manifest> {
  const image = join(dir, 'image.db')
  const app = make(image, label)
  app.pragma('wal_checkpoint(TRUNCATE)')
  app.close()
  const manifest = await storeBackupOf(image, storages, { created: new Date(created), lineage })
  rmSync(image)
  return manifest
}

function label(): unknown {
  const app = new BetterSqlite(target)
  try {
    return app.prepare('SELECT label FROM t').pluck().get()
  } finally {
    app.close()
  }
}

/** Ends once what is hoped for was said often enough. */
function untilSaid(times: number) {
  const said: string[] = []
  const ending = new AbortController()
  const onWaiting = (name: string): void => {
    said.push(name)
    if (said.length === times) ending.abort()
  }
  return { said, onWaiting, signal: ending.signal }
}

function options(more: Partial<RestoreIfMissing> = {}): RestoreIfMissing {
  return {
    capture,
    work,
    database: 'app',
    storages: [{ name: 'disk', storage }],
    target,
    spoolDir: join(dir, 'data', '.sqlite-backup', 'app.db'),
    reserveBytes: 0,
    ...more,
  }
}

const down = (code: ErrorCode): Storage => faulty(memory(), [{ on: 'list', times: 99, code }])

describe('with a database that is there', () => {
  beforeEach(() => {
    mkdirSync(join(dir, 'data'))
    make(target, 'live').close()
  })

  it('does nothing, and asks no storage', async () => {
    await store('backed up', '2026-11-20T03:00:00Z')
    expect(await restoreIfMissing(options())).toEqual({ outcome: 'present', warnings: [] })
    expect(await restoreIfMissing(options({ storages: [{ name: 'down', storage: down('UNAVAILABLE') }] }))).toEqual({
      outcome: 'present',
      warnings: [],
    })
    expect(label()).toBe('live')
  })

  it('leaves a file that is no database to the app', async () => {
    rmSync(target)
    writeFileSync(target, 'Dear reader, this is not a database but a letter. '.repeat(20))
    await store('backed up', '2026-11-20T03:00:00Z')
    expect((await restoreIfMissing(options())).outcome).toBe('present')
    expect(readFileSync(target, 'utf8')).toContain('Dear reader')
  })
})

describe('after a restore that was killed once its safety copy was complete', () => {
  let safetyCopy: string
  beforeEach(() => {
    const { spoolDir } = options()
    mkdirSync(spoolDir, { recursive: true })
    safetyCopy = join(spoolDir, 'pre-restore-0123456789ab.db')
    make(safetyCopy, 'replaced').close()
    const files = { temp: join(dir, 'data', '.app.db.0123456789ab.tmp'), safetyCopy }
    writeFileSync(join(spoolDir, 'restore.json'), JSON.stringify(files))
  })

  it.each(['present', 'restored'] as const)(
    'with a database that is %s says where the copy is, and keeps it',
    async (outcome) => {
      if (outcome === 'present') make(target, 'live').close()
      await store('backed up', '2026-11-20T03:00:00Z')
      const result = await restoreIfMissing(options())
      expect(result).toMatchObject({ outcome, warnings: [expect.stringContaining(safetyCopy)] })
      expect(label()).toBe(outcome === 'present' ? 'live' : 'backed up')
      expect(existsSync(safetyCopy)).toBe(true)
    },
  )
})

describe.each(['missing', 'empty'])('with a database that is %s', (state) => {
  beforeEach(() => {
    if (state === 'missing') return
    mkdirSync(join(dir, 'data'))
    writeFileSync(target, '')
  })

  it('restores the newest backup', async () => {
    await store('older', '2026-11-19T03:00:00Z')
    const { id } = await store('newest', '2026-11-20T03:00:00Z')
    const result = await restoreIfMissing(options())
    expect(result).toMatchObject({ outcome: 'restored', restored: { id, storage: 'disk' }, warnings: [] })
    expect(label()).toBe('newest')
  })

  it('restores the newest of all storages', async () => {
    const other = memory()
    await store('older', '2026-11-19T03:00:00Z')
    await store('newest', '2026-11-20T03:00:00Z', [other])
    const result = await restoreIfMissing(
      options({
        storages: [
          { name: 'disk', storage },
          { name: 's3', storage: other },
        ],
      }),
    )
    expect(result.restored?.storage).toBe('s3')
    expect(label()).toBe('newest')
  })

  it.each(['one storage', 'a storage that missed what came since, too'])(
    'of a backup whose clock was ahead takes what grew from it, in %s, and says so',
    async (where) => {
      const behind = memory()
      const ahead = await store('ahead', '2026-11-20T05:00:00Z', [behind, storage])
      const next = await store('next', '2026-11-20T03:00:00Z', [storage], { parent: ahead.id })
      const { id } = await store('last', '2026-11-20T03:10:00Z', [storage], { parent: next.id })
      const disk = { name: 'disk', storage }
      const storages = where === 'one storage' ? [disk] : [{ name: 'behind', storage: behind }, disk]
      const result = await restoreIfMissing(options({ storages }))
      expect(result).toMatchObject({ outcome: 'restored', restored: { id, storage: 'disk' } })
      expect(result.warnings).toEqual([expect.stringContaining(`${ahead.id} is dated later`)])
      expect(label()).toBe('last')
    },
  )

  it('falls back to the newest good one, loudly', async () => {
    const { id: good } = await store('good', '2026-11-18T03:00:00Z')
    const gone = await store('gone', '2026-11-19T03:00:00Z')
    const flipped = await store('flipped', '2026-11-20T03:00:00Z')
    await storage.delete([gone.body])
    await storage.put(flipped.body, bytesBody(Buffer.alloc(flipped.stored.sizeBytes, 7)))
    const failed: string[] = []
    const result = await restoreIfMissing(options({ onFallBack: ({ id }) => failed.push(id) }))
    expect(result).toMatchObject({ outcome: 'restored', restored: { id: good } })
    expect(failed).toEqual([flipped.id, gone.id])
    expect(result.warnings).toEqual([expect.stringContaining(flipped.id), expect.stringContaining(gone.id)])
    expect(label()).toBe('good')
  })

  it('takes the same backup from another storage before an older one', async () => {
    const other = memory()
    await store('older', '2026-11-19T03:00:00Z')
    const { id, body } = await store('newest', '2026-11-20T03:00:00Z', [storage, other])
    await storage.delete([body])
    const result = await restoreIfMissing(
      options({
        storages: [
          { name: 'disk', storage },
          { name: 's3', storage: other },
        ],
      }),
    )
    expect(result.restored).toMatchObject({ id, storage: 's3' })
    expect(label()).toBe('newest')
  })

  it('refuses to start when no backup passes', async () => {
    const { body } = await store('gone', '2026-11-20T03:00:00Z')
    await storage.delete([body])
    await expect(restoreIfMissing(options())).rejects.toMatchObject({ code: 'RESTORE_DAMAGED' })
    expect(existsSync(target) ? statSync(target).size : 0).toBe(0)
  })

  it('does not go back in time because a storage breaks off or the disk is full', async () => {
    await store('older', '2026-11-19T03:00:00Z')
    const { body } = await store('newest', '2026-11-20T03:00:00Z')
    const broken = faulty(storage, [
      { on: 'get', key: new RegExp(body.replaceAll('.', '\\.')), times: 99, code: 'UNAVAILABLE' },
    ])
    await expect(restoreIfMissing(options({ storages: [{ name: 'disk', storage: broken }] }))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    await expect(restoreIfMissing(options({ reserveBytes: 2 ** 55 }))).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
    expect(existsSync(target) ? statSync(target).size : 0).toBe(0)
  })

  it('does not go back in time because the key is missing', async () => {
    await store('older', '2026-11-19T03:00:00Z')
    const image = join(dir, 'image.db')
    const app = make(image, 'secret')
    app.pragma('wal_checkpoint(TRUNCATE)')
    app.close()
    await storeBackupOf(image, [storage], {
      created: new Date('2026-11-20T03:00:00Z'),
      encryption: { passphrase: 'hush', workFactor: 10 },
    })
    await expect(restoreIfMissing(options())).rejects.toMatchObject({ code: 'IDENTITY_MISSING' })
    expect(existsSync(target) ? statSync(target).size : 0).toBe(0)
  })

  it('starts empty when every storage answered and none has one, naming what they hold', async () => {
    const result = await restoreIfMissing(options())
    expect(result).toMatchObject({ outcome: 'started-empty', warnings: [expect.stringContaining('holds no backups')] })
    await store('backed up', '2026-11-20T03:00:00Z')
    const other = await restoreIfMissing(options({ database: 'app2' }))
    expect(other).toMatchObject({
      outcome: 'started-empty',
      warnings: [expect.stringContaining('holds backups of app')],
    })
    await expect(restoreIfMissing(options({ database: 'app2', onMissingBackup: 'fail' }))).rejects.toMatchObject({
      code: 'BACKUP_NOT_FOUND',
      message: expect.stringContaining('holds backups of app'),
    })
  })

  it.each(['UNAVAILABLE', 'STORAGE_DENIED', 'STORAGE_MISSING'] as const)(
    'refuses to start when a storage says %s and no other has one',
    async (code) => {
      const storages = [
        { name: 'disk', storage },
        { name: 'down', storage: down(code) },
      ]
      await expect(restoreIfMissing(options({ storages }))).rejects.toMatchObject({ code })
      await store('backed up', '2026-11-20T03:00:00Z')
      const result = await restoreIfMissing(options({ storages }))
      expect(result).toMatchObject({ outcome: 'restored', warnings: [expect.stringContaining('down did not answer')] })
    },
  )

  it('refuses to start with the database of another environment, and names the way to accept it', async () => {
    const { id } = await store('of production', '2026-11-20T03:00:00Z', [storage], { environment: 'production' })
    await expect(restoreIfMissing(options({ environment: 'staging' }))).rejects.toMatchObject({
      code: 'ENVIRONMENT_MISMATCH',
      hint: expect.stringContaining(`sqlite-backup restore ${id} --accept-other-environment`),
    })
    expect(existsSync(target) ? statSync(target).size : 0).toBe(0)
  })

  it.each([
    ['the same is stated', { environment: 'production' }, 'production'],
    ['the backup states none', {}, 'staging'],
    ['this engine states none', { environment: 'production' }, undefined],
  ])('restores when of environments %s', async (_case, lineage, environment) => {
    await store('backed up', '2026-11-20T03:00:00Z', [storage], lineage)
    const result = await restoreIfMissing(options({ environment }))
    expect(result).toMatchObject({ outcome: 'restored', warnings: [] })
    expect(label()).toBe('backed up')
  })

  it('starts without a storage, and says so', async () => {
    const result = await restoreIfMissing(options({ storages: [] }))
    expect(result).toMatchObject({ outcome: 'no-storage', warnings: [expect.stringContaining('no storage')] })
  })
})

describe('four processes on an empty volume', () => {
  it.each(['one spool', 'a spool each'])('with %s: one restore, one inode', async (spools) => {
    const bucket = join(dir, 'bucket')
    await store('backed up', '2026-11-20T03:00:00Z', [filesystem({ dir: bucket })])
    const script = join(dir, 'start.mjs')
    const from = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
    writeFileSync(
      script,
      `import { statSync } from 'node:fs'
       import { createCaptureClient } from ${from('../capture/client.ts')}
       import { filesystem } from ${from('../storage/filesystem.ts')}
       import { createWorkClient } from ${from('../work/client.ts')}
       import { restoreIfMissing } from ${from('./restore-if-missing.ts')}
       const [target, bucket, spoolDir] = process.argv.slice(2)
       const capture = createCaptureClient()
       const { outcome } = await restoreIfMissing({
         capture, work: createWorkClient(), database: 'app', target, spoolDir, reserveBytes: 0,
         storages: [{ name: 'disk', storage: filesystem({ dir: bucket }) }],
       })
       const { ino } = statSync(target)
       await capture.close()
       process.send({ outcome, ino }, () => process.disconnect())`,
    )
    const started = [1, 2, 3, 4].map((i) => {
      const spoolDir = join(dir, 'spool', spools === 'one spool' ? 'shared' : String(i))
      const child = fork(script, [target, bucket, spoolDir], { execArgv: ['--disable-warning=ExperimentalWarning'] })
      return new Promise<{ readonly outcome: string; readonly ino: number }>((resolve, reject) => {
        child.once('message', (message) => resolve(message as { outcome: string; ino: number }))
        child.once('exit', (code) => reject(new Error(`It ended with ${code}.`)))
      })
    })
    const answers = await Promise.all(started)
    expect(answers.map(({ outcome }) => outcome).sort()).toEqual(['present', 'present', 'present', 'restored'])
    expect(new Set(answers.map(({ ino }) => ino)).size).toBe(1)
    expect(label()).toBe('backed up')
  })
})

it('says again and again which storage it waits for', async () => {
  const { said, onWaiting, signal } = untilSaid(3)
  const silent: Storage = {
    ...storage,
    list: () => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  }
  const storages = [
    { name: 'silent', storage: silent },
    { name: 'store', storage },
  ]
  await expect(restoreIfMissing(options({ storages, onWaiting, sayWaitingMs: 20, signal }))).rejects.toThrow()
  expect(said).toEqual(['silent', 'silent', 'silent'])
})
