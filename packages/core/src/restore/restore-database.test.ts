import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCaptureClient } from '../capture/client.ts'
import type { Manifest } from '../catalog/manifest.ts'
import { BackupError } from '../errors.ts'
import { readSpoolState } from '../spool/state.ts'
import { memory } from '../storage/memory.ts'
import { bytesBody, readObject, type Storage } from '../storage/storage.ts'
import { createWorkClient } from '../work/client.ts'
import { forgetRestoreFiles, hasInterruptedRestore, recoverRestore } from './leftovers.ts'
import { type RestoreDatabase, type RestoreEvent, type RestoreStep, restoreDatabase } from './restore-database.ts'
import { storeBackupOf } from './testing/stored-backup.ts'

// This process plays the app.
const capture = createCaptureClient()
const work = createWorkClient()
let root: string
let image: string
let dir: string
let target: string
let storage: Storage
let manifest: Manifest
let count = 0

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'restore-'))
  image = join(root, 'image.db')
  make(image, 'backed up', 4000).close()
})
beforeEach(async () => {
  dir = join(root, `case ${count++}`)
  mkdirSync(join(dir, 'spool'), { recursive: true })
  target = join(dir, 'app.db')
  storage = memory()
  manifest = await storeBackupOf(image, [storage])
})
afterAll(async () => {
  await capture.close()
  rmSync(root, { recursive: true })
})

function make(file: string, label: string, rows: number, pageSize = 4096): BetterSqlite.Database {
  const app = new BetterSqlite(file)
  app.pragma(`page_size = ${pageSize}`)
  app.pragma('journal_mode = WAL')
  app.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, label TEXT, filler TEXT)')
  const insert = app.prepare('INSERT INTO t(label, filler) VALUES (?, ?)')
  app.transaction(() => {
    for (let i = 0; i < rows; i++) insert.run(label, `${i}`.repeat(60))
  })()
  app.pragma('wal_checkpoint(TRUNCATE)')
  return app
}

function look(file: string): unknown {
  const app = new BetterSqlite(file)
  try {
    const rows = app.prepare('SELECT label, count(*) AS n FROM t GROUP BY label ORDER BY label').all() as {
      label: string
      n: number
    }[]
    return {
      integrity: app.pragma('integrity_check', { simple: true }),
      ...Object.fromEntries(rows.map(({ label, n }) => [label, n])),
    }
  } finally {
    app.close()
  }
}

const backedUp = { integrity: 'ok', 'backed up': 4000 }

function options(more: Partial<RestoreDatabase> = {}): RestoreDatabase {
  return {
    capture,
    work,
    from: { name: 'disk', storage },
    manifest,
    target,
    mode: 'in-place',
    spoolDir: join(dir, 'spool'),
    reserveBytes: 0,
    ...more,
  }
}

const processes = [
  ['one process', false],
  ['two processes', true],
] as const

/** Nothing of ours is left beside the target or in the spool, but what is named. */
function expectTidy(...kept: readonly string[]): void {
  const ours = (name: string): boolean => name !== 'spool' && name !== 'state.json' && !name.startsWith('app.db')
  expect([...readdirSync(dir), ...readdirSync(join(dir, 'spool'))].filter(ours)).toEqual(kept)
}

describe('restoreDatabase', () => {
  it('restores a missing database, in a folder that is missing too', async () => {
    target = join(dir, 'data', 'deep', 'app.db')
    const steps: RestoreStep[] = []
    const restored = await restoreDatabase(
      options({ onEvent: (event) => event.kind === 'step' && steps.push(event.step) }),
    )
    expect(restored).toMatchObject({
      id: manifest.id,
      storage: 'disk',
      target,
      how: 'linked',
      sizeBytes: statSync(image).size,
      pausedMs: 0,
      warnings: [],
      setAside: [],
      check: { outcome: 'ok' },
    })
    expect(steps).toEqual(['planned', 'fetching', 'decoded', 'checked', 'looked', 'set-aside', 'linked', 'published'])
    expect(readFileSync(target).equals(readFileSync(image))).toBe(true)
    expect((await readSpoolState(join(dir, 'spool'))).parent).toBe(manifest.id)
    expect(await hasInterruptedRestore(join(dir, 'spool'))).toBe(false)
  })

  it('replaces a live database under a running app, and keeps what was there', async () => {
    const app = make(target, 'live', 1000)
    app.prepare("INSERT INTO t(label) VALUES ('only in the log')").run()
    const progress: RestoreEvent[] = []
    const restored = await restoreDatabase(
      options({ onEvent: (event) => event.kind === 'progress' && progress.push(event) }),
    )
    expect(restored.how).toBe('online')
    expect(app.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 4000 })
    app.close()
    expect(look(target)).toEqual(backedUp)
    const copy = restored.safetyCopy?.path ?? ''
    expect(look(copy)).toEqual({ integrity: 'ok', live: 1000, 'only in the log': 1 })
    expect(progress.filter((event) => event.kind === 'progress' && event.phase === 'publish').length).toBeGreaterThan(0)

    // Until the copy has become a backup it is remembered.
    const spoolDir = join(dir, 'spool')
    expect(await recoverRestore(capture, { spoolDir, target })).toEqual({ safetyCopy: copy })
    expect(await recoverRestore(capture, { spoolDir, target })).toEqual({ safetyCopy: copy })
    await forgetRestoreFiles(spoolDir)
    expect(await recoverRestore(capture, { spoolDir, target })).toEqual({})
    expect(existsSync(copy)).toBe(true)
  })

  it.each([
    ['gz', undefined],
    ['none', undefined],
    ['zst', { passphrase: 'correct horse battery staple', workFactor: 10 }],
  ] as const)('restores a body packed as %s', async (compression, encryption) => {
    manifest = await storeBackupOf(image, [storage], {
      compression,
      ...(encryption === undefined ? {} : { encryption }),
    })
    const keys = encryption === undefined ? undefined : { passphrase: encryption.passphrase }
    await restoreDatabase(options({ keys }))
    expect(look(target)).toEqual(backedUp)
  })

  it('does not restore an encrypted backup without its key, or with another', async () => {
    manifest = await storeBackupOf(image, [storage], { encryption: { passphrase: 'right', workFactor: 10 } })
    await expect(restoreDatabase(options())).rejects.toMatchObject({ code: 'IDENTITY_MISSING' })
    await expect(restoreDatabase(options({ keys: { passphrase: 'wrong' } }))).rejects.toMatchObject({
      code: expect.stringMatching(/DECRYPTION_FAILED|IDENTITY_MISSING/),
    })
    expect(existsSync(target)).toBe(false)
    expectTidy()
  })

  describe('to a new file', () => {
    it('writes it and leaves the database and the lineage alone', async () => {
      const output = join(dir, 'app.db.copy')
      const restored = await restoreDatabase(options({ mode: 'new-file', target: output }))
      expect(restored).toMatchObject({ how: 'new-file', target: output })
      expect(look(output)).toEqual(backedUp)
      expect(existsSync(target)).toBe(false)
      expect((await readSpoolState(join(dir, 'spool'))).parent).toBeUndefined()
    })

    it('refuses to write over a database or any other file, unless told to', async () => {
      make(target, 'precious', 10).close()
      await expect(restoreDatabase(options({ mode: 'new-file' }))).rejects.toMatchObject({
        code: 'RESTORE_TARGET_EXISTS',
      })
      expect(look(target)).toEqual({ integrity: 'ok', precious: 10 })
      const restored = await restoreDatabase(options({ mode: 'new-file', overwrite: true }))
      expect(look(restored.safetyCopy?.path ?? 'none')).toEqual({ integrity: 'ok', precious: 10 })
      expect(look(target)).toEqual(backedUp)

      const letter = join(dir, 'app.db.letter')
      writeFileSync(letter, 'Dear reader')
      await expect(restoreDatabase(options({ mode: 'new-file', target: letter }))).rejects.toMatchObject({
        code: 'RESTORE_TARGET_EXISTS',
      })
      expect(readFileSync(letter, 'utf8')).toBe('Dear reader')
    })

    it('takes an empty file, as mktemp makes them', async () => {
      writeFileSync(target, '')
      expect((await restoreDatabase(options({ mode: 'new-file' }))).how).toBe('new-file')
      expect(look(target)).toEqual(backedUp)
    })
  })

  it('keeps the mode of what was there and follows links', async () => {
    mkdirSync(join(dir, 'spool', 'volume'))
    const real = join(dir, 'spool', 'volume', 'app.db')
    make(real, 'live', 10).close()
    chmodSync(real, 0o660)
    symlinkSync(real, target)
    expect((await restoreDatabase(options())).target).toBe(real)
    expect(statSync(real).mode & 0o777).toBe(0o660)
    expect(look(target)).toEqual(backedUp)
  })

  describe('with a backup that is not what its manifest promises', () => {
    const cases: readonly (readonly [string, (body: Uint8Array) => Uint8Array])[] = [
      ['cut', (body) => body.subarray(0, body.length - 1)],
      ['extended', (body) => Buffer.concat([body, Buffer.from([0])])],
      ['flipped', (body) => Buffer.from(body).fill((body[20_000] ?? 0) ^ 4, 20_000, 20_001)],
    ]
    it.each(cases)('refuses a body that was %s, and changes nothing', async (_name, damage) => {
      const app = make(target, 'live', 10)
      await storage.put(manifest.body, bytesBody(damage(await readObject(storage, manifest.body, { maxBytes: 1e9 }))))
      await expect(restoreDatabase(options())).rejects.toMatchObject({
        code: expect.stringMatching(/^BODY_/),
        hint: expect.stringContaining(manifest.id),
      })
      app.close()
      expect(look(target)).toEqual({ integrity: 'ok', live: 10 })
      expectTidy()
    })

    it.each(processes)('refuses a whole body of another backup, checked by %s', async (_name, isParallel) => {
      const other = join(dir, 'other.db')
      copyFileSync(image, other)
      const app = new BetterSqlite(other)
      app.exec("UPDATE t SET label = 'spliced'")
      app.pragma('wal_checkpoint(TRUNCATE)')
      app.close()
      const spliced = await storeBackupOf(other, [storage])
      rmSync(other)
      manifest = { ...manifest, body: spliced.body, stored: spliced.stored }
      await expect(restoreDatabase(options({ isParallel }))).rejects.toMatchObject({ code: 'BODY_DIGEST_MISMATCH' })
      expectTidy()
    })

    it('refuses when the body is gone', async () => {
      await storage.delete([manifest.body])
      await expect(restoreDatabase(options())).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
      expectTidy()
    })
  })

  describe('with a database that was damaged when it was backed up', () => {
    beforeEach(async () => {
      const damaged = join(dir, 'damaged.db')
      copyFileSync(image, damaged)
      const bytes = readFileSync(damaged)
      bytes.fill(0xa5, 5 * 4096, 7 * 4096)
      writeFileSync(damaged, bytes)
      manifest = await storeBackupOf(damaged, [storage])
      rmSync(damaged)
    })

    it.each(processes)('refuses it and says so, checked by %s', async (_name, isParallel) => {
      make(target, 'live', 10).close()
      await expect(restoreDatabase(options({ isParallel }))).rejects.toMatchObject({
        code: 'RESTORE_DAMAGED',
        hint: expect.stringContaining('--accept-damaged'),
      })
      expect(look(target)).toEqual({ integrity: 'ok', live: 10 })
      expectTidy()
    })

    it('says that it is not what was backed up, when it is neither that nor sound', async () => {
      manifest = { ...manifest, plain: { ...manifest.plain, sha256: '0'.repeat(64) } }
      await expect(restoreDatabase(options({ isParallel: true }))).rejects.toMatchObject({
        code: 'BODY_DIGEST_MISMATCH',
      })
      expectTidy()
    })

    it('restores it when told to, with a warning', async () => {
      const restored = await restoreDatabase(options({ acceptDamaged: true }))
      expect(restored.check.outcome).toBe('damaged')
      expect(restored.warnings.join()).toContain('damaged')
      expect(existsSync(target)).toBe(true)
    })
  })

  it('restores what only the app could check, with a warning', async () => {
    const own = join(dir, 'own.db')
    const app = make(own, 'own', 10)
    app.function('shout', { deterministic: true }, (text: unknown) => `${text}!`)
    app.exec('CREATE TABLE words(word TEXT COLLATE NOCASE); CREATE INDEX word ON words(word)')
    app.unsafeMode(true)
    app.pragma('writable_schema = ON')
    app.exec("UPDATE sqlite_schema SET sql = 'CREATE INDEX word ON words(word COLLATE german)' WHERE name = 'word'")
    app.pragma('wal_checkpoint(TRUNCATE)')
    app.close()
    manifest = await storeBackupOf(own, [storage])
    rmSync(own)
    const restored = await restoreDatabase(options())
    expect(restored.check.outcome).toBe('unknown')
    expect(restored.warnings.join()).toContain('german')
  })

  it.each(processes)(
    'reports rows that refer to nothing, and restores them, checked by %s',
    async (_name, isParallel) => {
      const orphans = join(dir, 'orphans.db')
      const app = new BetterSqlite(orphans)
      app.exec(
        'PRAGMA foreign_keys = OFF; CREATE TABLE t(id INTEGER PRIMARY KEY, label REFERENCES t(id)); INSERT INTO t VALUES (1, 99)',
      )
      app.close()
      manifest = await storeBackupOf(orphans, [storage])
      rmSync(orphans)
      const restored = await restoreDatabase(options({ isParallel }))
      expect(restored.check).toMatchObject({ outcome: 'ok', foreignKeyViolations: 1 })
      expect(restored.warnings).toEqual([expect.stringContaining('1 rows refer')])
    },
  )

  it('refuses before the download when there is no room', async () => {
    make(target, 'live', 10).close()
    let asked = 0
    const watched: Storage = {
      ...storage,
      get(...args) {
        asked += 1
        return storage.get(...args)
      },
    }
    await expect(
      restoreDatabase(options({ from: { name: 'disk', storage: watched }, reserveBytes: 2 ** 55 })),
    ).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
    expect(asked).toBe(0)
    expectTidy()
  })

  it('stops when told to, under way, and leaves nothing behind', async () => {
    make(target, 'live', 10).close()
    for (const at of ['fetching', 'decoded', 'checked', 'safety-draft'] as const) {
      const controller = new AbortController()
      const onEvent = (event: RestoreEvent): void => {
        if (event.kind === 'step' && event.step === at) controller.abort()
      }
      // A writer holds it up, so that the last abort cannot come too late.
      const app = new BetterSqlite(target)
      app.exec('BEGIN IMMEDIATE')
      await expect(restoreDatabase(options({ signal: controller.signal, onEvent }))).rejects.toMatchObject({
        code: 'ABORTED',
      })
      app.exec('COMMIT')
      app.close()
      expect(look(target)).toEqual({ integrity: 'ok', live: 10 })
      expectTidy()
    }
  })

  it('passes on what the storage says when it breaks off', async () => {
    const broken: Storage = {
      ...storage,
      async get(key, get) {
        const result = await storage.get(key, get)
        const stream = async function* (): AsyncGenerator<Uint8Array> {
          for await (const chunk of result.stream) {
            yield chunk.subarray(0, 1000)
            throw new BackupError('UNAVAILABLE', 'The line went dead.')
          }
        }
        return { ...result, stream: stream() }
      },
    }
    await expect(restoreDatabase(options({ from: { name: 'disk', storage: broken } }))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    })
    expectTidy()
  })
})

const canMount = process.platform === 'linux' && process.geteuid?.() === 0 && mountsWork()
if (!canMount) console.warn('SKIPPED TESTS: restoring on a full disk and onto mount points takes root and tmpfs.')

describe.runIf(canMount)('on small volumes', () => {
  const onTmpfs = async (sizeKb: number, run: (volume: string) => Promise<void>): Promise<void> => {
    const volume = join(dir, 'volume')
    mkdirSync(volume)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKb}k`, 'tmpfs', volume])
    try {
      await run(volume)
    } finally {
      execFileSync('umount', [volume])
    }
  }

  it('finds out that the disk is full while it unpacks: the old database is intact and the rest is gone', async () => {
    await onTmpfs(1400, async (volume) => {
      target = join(volume, 'app.db')
      make(target, 'live', 10).close()
      // It looks as if there were room: the space goes while the restore runs.
      const onEvent = (event: RestoreEvent): void => {
        if (event.kind === 'step' && event.step === 'fetching')
          writeFileSync(join(volume, 'filler'), Buffer.alloc(900_000))
      }
      await expect(
        restoreDatabase(options({ mode: 'new-file', target: join(volume, 'copy.db'), onEvent })),
      ).rejects.toMatchObject({
        code: 'SPOOL_NO_SPACE',
      })
      expect(readdirSync(volume).sort()).toEqual(['app.db', 'filler'])
      expect(look(target)).toEqual({ integrity: 'ok', live: 10 })
    })
  })

  it('finds out that the disk is full while pages are replaced: SQLite rolls back, the app goes on', async () => {
    await onTmpfs(6_000, async (volume) => {
      target = join(volume, 'app.db')
      const app = make(target, 'live', 10)
      const onEvent = (event: RestoreEvent): void => {
        if (event.kind === 'step' && event.step === 'checked')
          writeFileSync(join(volume, 'filler'), Buffer.alloc(4_200_000))
      }
      await expect(restoreDatabase(options({ onEvent }))).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
      expect(app.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 10 })
      rmSync(join(volume, 'filler'))
      app.prepare("INSERT INTO t(label) VALUES ('goes on')").run()
      app.close()
      expect(look(target)).toEqual({ integrity: 'ok', 'goes on': 1, live: 10 })
      expect(readdirSync(volume)).toEqual(['app.db'])
      expectTidy('volume')
    })
  })

  it('finds out that there is no room for the safety copy: nothing is changed', async () => {
    await onTmpfs(300, async (volume) => {
      make(target, 'live', 3000).close()
      const spoolDir = join(volume, 'spool')
      mkdirSync(spoolDir)
      await expect(restoreDatabase(options({ spoolDir }))).rejects.toMatchObject({
        code: 'SPOOL_NO_SPACE',
        message: expect.stringContaining('The volume of the spool'),
      })
      expect(look(target)).toEqual({ integrity: 'ok', live: 3000 })
    })
  })

  it('restores into a database file that is a mount point', async () => {
    const outside = join(dir, 'spool', 'outside.db')
    make(outside, 'live', 10).close()
    writeFileSync(target, '')
    execFileSync('mount', ['--bind', outside, target])
    try {
      const { ino } = statSync(target)
      expect((await restoreDatabase(options())).how).toBe('online')
      expect(statSync(target).ino).toBe(ino)
      expect(look(outside)).toEqual(backedUp)
    } finally {
      execFileSync('umount', [target])
    }
  })

  it('restores into an empty file that is a mount point', async () => {
    const outside = join(dir, 'spool', 'outside.db')
    for (const file of [outside, target]) writeFileSync(file, '')
    execFileSync('mount', ['--bind', outside, target])
    try {
      expect((await restoreDatabase(options())).how).toBe('online')
      expect(look(outside)).toEqual(backedUp)
    } finally {
      execFileSync('umount', [target])
    }
  })
})

describe('killed with SIGKILL', () => {
  const steps = [
    'planned',
    'fetching',
    'decoded',
    'checked',
    'safety-draft',
    'locked',
    'first-page',
    'middle',
    'committed',
    'published',
  ] as const

  it.each(steps)(
    'the engine, at "%s": the database is old or new, whole, and the next restore goes on',
    async (step) => {
      const app = make(target, 'live', 3000)
      await killedAt('engine', step)
      const found = app.prepare('SELECT label, count(*) AS n FROM t GROUP BY label').all()
      expect([[{ label: 'live', n: 3000 }], [{ label: 'backed up', n: 4000 }]]).toContainEqual(found)
      app.close()

      const { safetyCopy } = await recoverRestore(capture, { spoolDir: join(dir, 'spool'), target })
      if (JSON.stringify(found).includes('backed up'))
        expect(look(safetyCopy ?? '')).toEqual({ integrity: 'ok', live: 3000 })
      expect(readdirSync(dir).filter((name) => name.endsWith('.tmp'))).toEqual([])
      expect(readdirSync(join(dir, 'spool')).filter((name) => name.endsWith('.draft'))).toEqual([])
      if (safetyCopy !== undefined) await forgetRestoreFiles(join(dir, 'spool'))
      await restoreDatabase(options())
      expect(look(target)).toEqual(backedUp)
    },
  )

  it.each(['decode', 'check'] as const)('the work process, during %s: nothing is changed', async (method) => {
    make(target, 'live', 3000).close()
    await expect(
      restoreDatabase(options({ work: createWorkClient({ entry: bombEntry(method) }) })),
    ).rejects.toMatchObject({
      code: 'CAPTURE_DIED',
    })
    expect(look(target)).toEqual({ integrity: 'ok', live: 3000 })
    await recoverRestore(capture, { spoolDir: join(dir, 'spool'), target })
    expectTidy('bomb.mjs')
    await restoreDatabase(options())
    expect(look(target)).toEqual(backedUp)
  })

  /** Runs the restore in an engine process of its own that kills itself at a step. */
  async function killedAt(_who: 'engine', step: RestoreStep): Promise<void> {
    const body = join(dir, 'body')
    writeFileSync(body, await readObject(storage, manifest.body, { maxBytes: 1e9 }))
    const script = join(dir, 'engine.mjs')
    const from = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
    writeFileSync(
      script,
      `import { readFileSync } from 'node:fs'
       import { createCaptureClient } from ${from('../capture/client.ts')}
       import { memory } from ${from('../storage/memory.ts')}
       import { bytesBody } from ${from('../storage/storage.ts')}
       import { createWorkClient } from ${from('../work/client.ts')}
       import { restoreDatabase } from ${from('./restore-database.ts')}
       const { manifest, target, spoolDir } = ${JSON.stringify({ manifest, target, spoolDir: join(dir, 'spool') })}
       const storage = memory()
       await storage.put(manifest.body, bytesBody(readFileSync(${JSON.stringify(body)})))
       const capture = createCaptureClient()
       console.log('capture', (await capture.hello()).pid)
       await restoreDatabase({
         capture, work: createWorkClient(), from: { name: 'disk', storage }, manifest, target, spoolDir,
         mode: 'in-place', reserveBytes: 0,
         onEvent(event) {
           if (event.kind === 'step' && event.step === ${JSON.stringify(step)}) process.kill(process.pid, 'SIGKILL')
         },
       })`,
    )
    let output = ''
    try {
      execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      throw new Error(`The engine was not killed at ${step}.`)
    } catch (error) {
      expect(error).toMatchObject({ signal: 'SIGKILL' })
      output = String((error as { stdout: unknown }).stdout)
    }
    // Its capture process stops by itself; what it does until then is part of the case.
    const pid = Number(/capture (\d+)/.exec(output)?.[1])
    await expect.poll(() => isRunning(pid), { timeout: 20_000 }).toBe(false)
    for (const file of [body, script]) rmSync(file)
  }

  function bombEntry(method: 'decode' | 'check'): URL {
    const file = join(dir, 'bomb.mjs')
    const from = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
    writeFileSync(
      file,
      `import { serve } from ${from('../rpc/serve.ts')}
       import { decodeToFile } from ${from('../work/decode-to-file.ts')}
       const die = () => process.kill(process.pid, 'SIGKILL')
       serve({
         async decode({ file, options, reserveBytes }, { input }) {
           if (${JSON.stringify(method)} === 'decode') {
             const cut = async function* () { for await (const chunk of input()) { yield chunk; setTimeout(die, 20) } }
             return decodeToFile(cut(), file, { decode: options, reserveBytes }).then(() => new Promise(() => {}))
           }
           return decodeToFile(input(), file, { decode: options, reserveBytes })
         },
         check: async () => die(),
       })`,
    )
    return pathToFileURL(file)
  }
})

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false // ESRCH: that is the answer.
  }
}

function mountsWork(): boolean {
  const probe = mkdtempSync(join(tmpdir(), 'mount-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', probe], { stdio: 'ignore' })
    execFileSync('umount', [probe])
    return true
  } catch {
    return false // A container without the right to mount.
  } finally {
    rmSync(probe, { recursive: true })
  }
}
