import { fork } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import BetterSqlite from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createCaptureClient } from './client.ts'
import type { Publish, Published, PublishProgress, PublishStep } from './protocol.ts'

// This process plays the app; the capture process is a child, as always.
const capture = createCaptureClient()
let root: string
let dir: string
let target: string
let count = 0

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'publish-'))
})
beforeEach(() => {
  dir = join(root, `case ${count++} ü#%41?`)
  mkdirSync(join(dir, 'spool'), { recursive: true })
  target = join(dir, 'app.db')
})
afterAll(async () => {
  await capture.close()
  rmSync(root, { recursive: true })
})

interface Make {
  readonly rows: number
  readonly label: string
  readonly mode?: 'wal' | 'delete'
  readonly pageSize?: number
}

/** A database of `rows` rows named after `label`; still open. */
function make(file: string, { rows, label, mode = 'wal', pageSize = 4096 }: Make): BetterSqlite.Database {
  const database = new BetterSqlite(file)
  database.pragma(`page_size = ${pageSize}`)
  database.pragma(`journal_mode = ${mode}`)
  database.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, label TEXT, filler TEXT); CREATE INDEX t_label ON t(label, id)')
  const insert = database.prepare('INSERT INTO t(label, filler) VALUES (?, ?)')
  database.transaction(() => {
    for (let i = 0; i < rows; i++) insert.run(label, 'x'.repeat(300))
  })()
  return database
}

/** A checked image, as a restore leaves it beside the target: one file, without -wal. */
function makeImage(options: Make): string {
  const file = join(dir, `.image-${options.label}`)
  const database = make(file, options)
  database.pragma('wal_checkpoint(TRUNCATE)')
  database.close()
  return file
}

function look(file: string): {
  readonly labels: readonly string[]
  readonly rows: number
  readonly integrity: unknown
} {
  const database = new BetterSqlite(file)
  try {
    const integrity = database.pragma('integrity_check', { simple: true })
    const rows = database.prepare('SELECT label, count(*) AS n FROM t GROUP BY label ORDER BY label').all() as {
      label: string
      n: number
    }[]
    return { labels: rows.map((row) => row.label), rows: rows.reduce((sum, row) => sum + row.n, 0), integrity }
  } finally {
    database.close()
  }
}

function params(temp: string, more: Partial<Publish> = {}): Publish {
  return { temp, target, spoolDir: join(dir, 'spool'), reserveBytes: 0, busyTimeoutMs: 5_000, ...more }
}

const safetyCopy = () => join(dir, 'spool', 'safety.db')

async function steps(publish: Publish): Promise<{ readonly published: Published; readonly steps: readonly string[] }> {
  const seen: string[] = []
  const onEvent = (event: PublishProgress): void => void (event.kind === 'step' && seen.push(event.step))
  return { published: await capture.publish(publish, { onEvent }), steps: seen }
}

describe('into a place where no database is', () => {
  it('gives the image its name, with the mode SQLite would give a new database', async () => {
    const image = makeImage({ rows: 100, label: 'new' })
    chmodSync(image, 0o600)
    const { published, steps: seen } = await steps(params(image))
    expect(published).toEqual({ how: 'linked', pausedMs: 0, setAside: [] })
    expect(seen).toEqual(['looked', 'set-aside', 'linked'])
    expect(existsSync(image)).toBe(false)
    expect(statSync(target).mode & 0o777).toBe(0o644 & ~process.umask())
    expect(look(target)).toEqual({ labels: ['new'], rows: 100, integrity: 'ok' })
  })

  it('does not let the -wal of a lost database show up in the restored one', async () => {
    const app = make(target, { rows: 10, label: 'old' })
    const image = join(dir, '.image')
    app.pragma('wal_checkpoint(TRUNCATE)')
    copyFileSync(target, image)
    app.prepare("INSERT INTO t(label) VALUES ('after the backup')").run()
    for (const suffix of ['', '-wal', '-shm']) copyFileSync(`${target}${suffix}`, join(dir, `kept${suffix}`))
    app.close()
    copyFileSync(join(dir, 'kept-wal'), `${target}-wal`)
    copyFileSync(join(dir, 'kept-shm'), `${target}-shm`)
    rmSync(target)

    // The regression this is about: a plain copy into place shows the rows of the old log.
    copyFileSync(image, join(dir, 'naive.db'))
    copyFileSync(join(dir, 'kept-wal'), join(dir, 'naive.db-wal'))
    expect(look(join(dir, 'naive.db')).labels).toEqual(['after the backup', 'old'])

    const published = await capture.publish(params(image))
    expect(published.setAside).toHaveLength(2)
    for (const file of published.setAside) expect(existsSync(file)).toBe(true)
    expect(look(target)).toEqual({ labels: ['old'], rows: 10, integrity: 'ok' })
  })

  it('does not let the -journal of a lost database be rolled back into the restored one', async () => {
    const image = makeImage({ rows: 100, label: 'new', mode: 'delete' })
    writeFileSync(`${target}-journal`, Buffer.concat([Buffer.from('d9d505f920a163d7', 'hex'), Buffer.alloc(5000, 1)]))
    const published = await capture.publish(params(image))
    expect(published.setAside).toEqual([expect.stringContaining('app.db-journal.set-aside-')])
    expect(look(target)).toEqual({ labels: ['new'], rows: 100, integrity: 'ok' })
  })

  it('restores into an empty file that an app already has open, and keeps it that file', async () => {
    const app = new BetterSqlite(target)
    expect(app.prepare('SELECT count(*) AS n FROM sqlite_schema').get()).toEqual({ n: 0 })
    const { ino, size } = statSync(target)
    expect(size).toBe(0)
    const published = await capture.publish(params(makeImage({ rows: 500, label: 'new', pageSize: 8192 })))
    expect(published).toMatchObject({ how: 'online', setAside: [] })
    expect(statSync(target).ino).toBe(ino)
    expect(app.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 500 })
    app.prepare("INSERT INTO t(label) VALUES ('after')").run()
    app.close()
    expect(look(target)).toEqual({ labels: ['after', 'new'], rows: 501, integrity: 'ok' })
    expect(readdirSync(join(dir, 'spool')).filter((name) => name.includes('intent'))).toEqual([])
  })

  it('sets aside what no SQLite can open, and keeps its mode', async () => {
    writeFileSync(target, Buffer.alloc(9000, 7), { mode: 0o640 })
    const published = await capture.publish(params(makeImage({ rows: 3, label: 'new' })))
    expect(published).toMatchObject({ how: 'linked', setAside: [expect.stringContaining('app.db.set-aside-')] })
    expect(readFileSync(published.setAside[0] ?? '')).toEqual(Buffer.alloc(9000, 7))
    expect(statSync(target).mode & 0o777).toBe(0o640)
    expect(look(target).rows).toBe(3)
  })

  it('follows a link that leads to a file that is not there yet', async () => {
    mkdirSync(join(dir, 'volume'))
    symlinkSync(join('volume', 'real.db'), target)
    const image = join(dir, 'volume', '.image')
    copyFileSync(makeImage({ rows: 3, label: 'new' }), image)
    await capture.publish(params(image))
    expect(look(join(dir, 'volume', 'real.db')).rows).toBe(3)
    expect(statSync(target).isFile()).toBe(true)
  })

  it('of four processes only one gets its image there, and the others are told', async () => {
    const clients = [1, 2, 3, 4].map(() => createCaptureClient())
    const images = clients.map((_, i) => makeImage({ rows: 10, label: `from ${i}` }))
    const outcomes = await Promise.allSettled(
      clients.map((client, i) => client.publish(params(images[i] ?? '', { mustBeMissing: true }))),
    )
    await Promise.all(clients.map((client) => client.close()))
    const won = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [`from ${i}`] : []))
    expect(won).toHaveLength(1)
    expect(look(target)).toEqual({ labels: won, rows: 10, integrity: 'ok' })
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'RESTORE_TARGET_EXISTS' })
    }
  })
})

describe('into a database that is there', () => {
  it.runIf(process.geteuid?.() === 0)('keeps inode, owner and mode', async () => {
    make(target, { rows: 50, label: 'old' }).close()
    chmodSync(target, 0o664)
    chownSync(target, 1234, 2345)
    const before = statSync(target)
    const published = await capture.publish(params(makeImage({ rows: 100, label: 'new' })))
    expect(published.how).toBe('online')
    const { ino, uid, gid, mode } = statSync(target)
    expect({ ino, uid, gid, mode }).toEqual({ ino: before.ino, uid: 1234, gid: 2345, mode: before.mode })
    expect(look(target).labels).toEqual(['new'])
  })

  it('is refused when it must be missing', async () => {
    make(target, { rows: 50, label: 'old' }).close()
    const image = makeImage({ rows: 100, label: 'new' })
    await expect(capture.publish(params(image, { mustBeMissing: true }))).rejects.toMatchObject({
      code: 'RESTORE_TARGET_EXISTS',
    })
    expect(look(target).labels).toEqual(['old'])
  })

  describe.each(['wal', 'delete'] as const)('in journal mode %s', (mode) => {
    const image = (mode: Make['mode'], rows = 3000): string => makeImage({ rows, label: 'new', mode })

    it.each(['wal', 'delete'] as const)('shows a running app the content of an image in mode %s', async (imageMode) => {
      const app = make(target, { rows: 2000, label: 'old', mode })
      const counted = app.prepare('SELECT count(*) AS n, min(label) AS label FROM t')
      expect(counted.get()).toEqual({ n: 2000, label: 'old' })
      const { published, steps: seen } = await steps(params(image(imageMode), { safetyCopy: safetyCopy() }))
      expect(published).toMatchObject({ how: 'online', setAside: [], safetyCopy: { path: safetyCopy() } })
      expect(seen).toEqual(['looked', 'safety-draft', 'locked', 'safety-copy', 'first-page', 'middle', 'committed'])
      expect(counted.get()).toEqual({ n: 3000, label: 'new' })
      app.prepare("INSERT INTO t(label) VALUES ('after')").run()
      expect(counted.get()).toMatchObject({ n: 3001 })
      expect(app.pragma('journal_mode', { simple: true })).toBe(mode)
      app.close()
      expect(look(target)).toEqual({ labels: ['after', 'new'], rows: 3001, integrity: 'ok' })
      expect(look(safetyCopy())).toEqual({ labels: ['old'], rows: 2000, integrity: 'ok' })
      expect(statSync(safetyCopy()).mode & 0o777).toBe(0o600)
    })

    it('takes over an image that is smaller, and one of a single page', async () => {
      const app = make(target, { rows: 2000, label: 'old', mode })
      await capture.publish(params(image('wal', 20), { safetyCopy: safetyCopy() }))
      expect(app.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 20 })

      for (const autoVacuum of ['NONE', 'INCREMENTAL', 'FULL']) {
        const bare = join(dir, `.bare-${autoVacuum}`)
        const database = new BetterSqlite(bare)
        database.pragma(`auto_vacuum = ${autoVacuum}`)
        database.pragma('journal_mode = WAL')
        database.pragma('user_version = 7')
        database.close()
        expect(statSync(bare).size).toBe(4096)
        const copy = join(dir, 'spool', `safety-${autoVacuum}.db`)
        const { steps: seen } = await steps(params(bare, { safetyCopy: copy }))
        expect(seen).toContain('safety-copy')
        expect(app.pragma('user_version', { simple: true })).toBe(7)
        expect(app.prepare('SELECT count(*) AS n FROM sqlite_schema').get()).toEqual({ n: 0 })
        expect(app.pragma('auto_vacuum', { simple: true })).toBe(['NONE', 'FULL', 'INCREMENTAL'].indexOf(autoVacuum))
        expect(app.pragma('integrity_check', { simple: true })).toBe('ok')
      }
      app.exec('CREATE TABLE t(label TEXT)')
      app.close()
      expect(look(join(dir, 'spool', 'safety-NONE.db'))).toEqual({ labels: ['new'], rows: 20, integrity: 'ok' })
    })

    it('changes nothing when the write lock is not to be had', async () => {
      const app = make(target, { rows: 2000, label: 'old', mode })
      const temp = image('wal')
      app.exec('BEGIN IMMEDIATE')
      await expect(
        capture.publish(params(temp, { busyTimeoutMs: 200, safetyCopy: safetyCopy() })),
      ).rejects.toMatchObject({ code: 'RESTORE_TARGET_BUSY', hint: expect.stringContaining('Nothing was changed') })
      app.exec('COMMIT')
      expect(app.prepare('SELECT count(*) AS n, min(label) AS label FROM t').get()).toEqual({ n: 2000, label: 'old' })
      app.close()
      expect(existsSync(safetyCopy())).toBe(false)
      expect(existsSync(temp)).toBe(true)
    })

    it('waits for a writer to finish', async () => {
      const app = make(target, { rows: 2000, label: 'old', mode })
      app.exec("BEGIN IMMEDIATE; INSERT INTO t(label) VALUES ('in flight')")
      const publishing = capture.publish(params(image('wal'), { safetyCopy: safetyCopy() }))
      await new Promise((resolve) => setTimeout(resolve, 300))
      app.exec('COMMIT')
      await publishing
      expect(app.prepare('SELECT min(label) AS label FROM t').get()).toEqual({ label: 'new' })
      app.close()
      expect(look(safetyCopy())).toEqual({ labels: ['in flight', 'old'], rows: 2001, integrity: 'ok' })
    })

    it('changes nothing when it is aborted under way', async () => {
      const app = make(target, { rows: 2000, label: 'old', mode })
      const controller = new AbortController()
      const onEvent = (event: PublishProgress): void => {
        if (event.kind === 'step' && event.step === 'safety-draft') controller.abort()
      }
      // The writer keeps it waiting, so that the abort cannot come too late.
      app.exec('BEGIN IMMEDIATE')
      await expect(
        capture.publish(params(image('wal'), { safetyCopy: safetyCopy() }), { onEvent, signal: controller.signal }),
      ).rejects.toMatchObject({ code: 'ABORTED' })
      app.exec('COMMIT')
      expect(app.prepare('SELECT min(label) AS label FROM t').get()).toEqual({ label: 'old' })
      app.close()
    })

    it('loses no acknowledged commit of a busy app: each is in the safety copy or in the restored database', async () => {
      make(target, { rows: 5000, label: 'old', mode }).close()
      const writer = startWriter(target)
      await writer.acknowledged(200)
      await capture.publish(params(image(mode, 4000), { safetyCopy: safetyCopy(), busyTimeoutMs: 30_000 }))
      await writer.acknowledged((await writer.count()) + 200)
      const acknowledged = await writer.stop()

      const kept = numbersIn(safetyCopy())
      const after = numbersIn(target)
      expect(kept.length).toBeGreaterThanOrEqual(200)
      expect(after.length).toBeGreaterThanOrEqual(200)
      expect([...kept, ...after].slice(0, acknowledged)).toEqual(Array.from({ length: acknowledged }, (_, i) => i + 1))
      expect(look(safetyCopy())).toMatchObject({ labels: ['old', 'writer'], integrity: 'ok' })
      expect(look(target)).toMatchObject({ labels: ['new', 'writer'], integrity: 'ok' })
    })
  })

  it('lets readers in a transaction keep their snapshot', async () => {
    const app = make(target, { rows: 2000, label: 'old' })
    app.exec('BEGIN')
    const counted = app.prepare('SELECT count(*) AS n, min(label) AS label FROM t')
    expect(counted.get()).toEqual({ n: 2000, label: 'old' })
    await capture.publish(params(makeImage({ rows: 3000, label: 'new' }), { safetyCopy: safetyCopy() }))
    expect(counted.get()).toEqual({ n: 2000, label: 'old' })
    app.exec('COMMIT')
    expect(counted.get()).toEqual({ n: 3000, label: 'new' })
    app.close()
  })

  it('leaves no log of the size of the database behind', async () => {
    const app = make(target, { rows: 10, label: 'old' })
    await capture.publish(params(makeImage({ rows: 20_000, label: 'new' })))
    expect(statSync(`${target}-wal`).size).toBe(0)
    expect(app.prepare('SELECT count(*) AS n FROM t').get()).toEqual({ n: 20_000 })
    app.close()
  })

  it('is refused while an app keeps it locked for itself', async () => {
    const app = make(target, { rows: 10, label: 'old' })
    app.pragma('locking_mode = EXCLUSIVE')
    app.prepare("INSERT INTO t(label) VALUES ('mine')").run()
    const image = makeImage({ rows: 20, label: 'new' })
    await expect(
      capture.publish(params(image, { safetyCopy: safetyCopy(), busyTimeoutMs: 100 })),
    ).rejects.toMatchObject({ code: 'RESTORE_TARGET_BUSY' })
    app.close()
    expect(look(target).labels).toEqual(['mine', 'old'])
  })

  it.each(['wal', 'delete'] as const)(
    'of mode %s may have been cut off, so that SQLite does not open it',
    async (mode) => {
      make(target, { rows: 1000, label: 'old', mode }).close()
      truncateSync(target, 20_000)
      const rest = readFileSync(target)
      const { ino } = statSync(target)
      expect(() => look(target)).toThrow('malformed')
      const image = makeImage({ rows: 900, label: 'new', mode })
      expect((await capture.publish(params(image, { safetyCopy: safetyCopy() }))).how).toBe('online')
      expect(look(target)).toEqual({ labels: ['new'], rows: 900, integrity: 'ok' })
      expect(statSync(target).ino).toBe(ino)
      expect(readFileSync(safetyCopy()).subarray(0, rest.length).equals(rest)).toBe(true)
    },
  )

  it('that SQLite takes only for reading, or whose header speaks of far more than there is, is set aside', async () => {
    for (const [position, value] of [
      [18, 3],
      [28, 127],
    ] as const) {
      make(target, { rows: 10, label: 'old', mode: 'delete' }).close()
      const bytes = readFileSync(target)
      bytes.writeUInt8(value, position)
      writeFileSync(target, bytes)
      const published = await capture.publish(params(makeImage({ rows: 10, label: 'new' })))
      expect(published).toMatchObject({ how: 'linked', setAside: [expect.stringContaining('.set-aside-')] })
      expect(readFileSync(published.setAside[0] ?? '').equals(bytes)).toBe(true)
      expect(look(target)).toEqual({ labels: ['new'], rows: 10, integrity: 'ok' })
      rmSync(target)
    }
  })

  it('takes the log into the safety copy', async () => {
    const app = make(target, { rows: 100, label: 'old' })
    app.pragma('wal_autocheckpoint = 0')
    app.pragma('wal_checkpoint(TRUNCATE)')
    app.exec("UPDATE t SET label = 'changed' WHERE id <= 60; DELETE FROM t WHERE id > 90")
    await capture.publish(params(makeImage({ rows: 10, label: 'new' }), { safetyCopy: safetyCopy() }))
    app.close()
    expect(look(safetyCopy())).toEqual({ labels: ['changed', 'old'], rows: 90, integrity: 'ok' })
  })

  describe('of another page size', () => {
    const sizes = [
      [4096, 512],
      [512, 4096],
      [65536, 1024],
      [1024, 65536],
      [4096, 8192],
    ] as const

    it.each(sizes)('replaces pages of %i bytes by pages of %i when nobody has it open', async (from, to) => {
      make(target, { rows: 2000, label: 'old', pageSize: from }).close()
      const before = statSync(target)
      const { published, steps: seen } = await steps(
        params(makeImage({ rows: 3000, label: 'new', pageSize: to }), { safetyCopy: safetyCopy() }),
      )
      expect(published.how).toBe('replaced')
      expect(seen.slice(0, 4)).toEqual(['looked', 'intent', 'journal-mode', 'safety-draft'])
      expect(statSync(target).ino).toBe(before.ino)
      expect(look(target)).toEqual({ labels: ['new'], rows: 3000, integrity: 'ok' })
      expect(readFileSync(target).subarray(18, 20)).toEqual(Buffer.from([2, 2]))
      expect(readFileSync(safetyCopy()).subarray(18, 20)).toEqual(Buffer.from([2, 2]))
      expect(look(safetyCopy())).toEqual({ labels: ['old'], rows: 2000, integrity: 'ok' })
      expect(readdirSync(join(dir, 'spool'))).toEqual(['safety.db'])
    })

    it('is refused while an app has it open, and changes nothing', async () => {
      const app = make(target, { rows: 2000, label: 'old', pageSize: 4096 })
      await expect(
        capture.publish(
          params(makeImage({ rows: 3000, label: 'new', pageSize: 8192 }), {
            safetyCopy: safetyCopy(),
            busyTimeoutMs: 100,
          }),
        ),
      ).rejects.toMatchObject({ code: 'RESTORE_TARGET_BUSY' })
      app.prepare("INSERT INTO t(label) VALUES ('goes on')").run()
      expect(app.pragma('journal_mode', { simple: true })).toBe('wal')
      app.close()
      expect(look(target)).toEqual({ labels: ['goes on', 'old'], rows: 2001, integrity: 'ok' })
      expect(readdirSync(join(dir, 'spool'))).toEqual([])
    })

    it.each(sizes)('replaces pages of %i bytes by pages of %i online in rollback mode', async (from, to) => {
      const app = make(target, { rows: 2000, label: 'old', mode: 'delete', pageSize: from })
      const counted = app.prepare('SELECT count(*) AS n, min(label) AS label FROM t')
      expect(counted.get()).toEqual({ n: 2000, label: 'old' })
      const image = makeImage({ rows: 3000, label: 'new', pageSize: to })
      const published = await capture.publish(params(image, { safetyCopy: safetyCopy() }))
      expect(published.how).toBe('online')
      expect(counted.get()).toEqual({ n: 3000, label: 'new' })
      app.prepare("INSERT INTO t(label) VALUES ('after')").run()
      app.close()
      expect(look(target)).toEqual({ labels: ['after', 'new'], rows: 3001, integrity: 'ok' })
      expect(look(safetyCopy())).toEqual({ labels: ['old'], rows: 2000, integrity: 'ok' })
    })
  })
})

describe('killed with SIGKILL', () => {
  let crashing: ReturnType<typeof createCaptureClient> | undefined
  afterEach(async () => {
    await crashing?.close()
    crashing = undefined
  })

  interface Case {
    readonly name: string
    readonly steps: readonly PublishStep[]
    readonly prepare: () => void
    readonly image: Omit<Make, 'rows' | 'label'>
    /** What may be there before the next start has recovered anything. */
    readonly old: 'missing' | 'empty' | 'old'
    /** What the next start must find. */
    readonly mode: 'wal' | 'rollback'
  }
  const online: readonly PublishStep[] = [
    'looked',
    'safety-draft',
    'locked',
    'safety-copy',
    'first-page',
    'middle',
    'committed',
  ]
  const old = (options: Omit<Make, 'rows' | 'label'>) => (): void => {
    make(target, { rows: 5000, label: 'old', ...options }).close()
  }
  const cases: readonly Case[] = [
    {
      name: 'a missing database',
      steps: ['looked', 'set-aside', 'linked'],
      prepare: () => {},
      image: {},
      old: 'missing',
      mode: 'wal',
    },
    {
      name: 'an empty file',
      steps: ['looked', 'locked', 'first-page', 'middle', 'committed'],
      prepare: () => writeFileSync(target, ''),
      image: {},
      old: 'empty',
      mode: 'wal',
    },
    { name: 'a WAL database', steps: online, prepare: old({}), image: {}, old: 'old', mode: 'wal' },
    {
      name: 'a rollback-journal database',
      steps: online,
      prepare: old({ mode: 'delete' }),
      image: {},
      old: 'old',
      mode: 'rollback',
    },
    {
      name: 'a WAL database of another page size',
      steps: ['intent', 'journal-mode', ...online],
      prepare: old({ pageSize: 8192 }),
      image: { pageSize: 1024 },
      old: 'old',
      mode: 'wal',
    },
    {
      name: 'a rollback-journal database of another page size',
      steps: online,
      prepare: old({ mode: 'delete', pageSize: 1024 }),
      image: { pageSize: 16384 },
      old: 'old',
      mode: 'rollback',
    },
  ]

  describe.each(cases)('over $name', ({ steps: at, prepare, image, old: before, mode }) => {
    it.each(at)('at "%s" it leaves the old or the new database, whole, and the next start goes on', async (step) => {
      prepare()
      const temp = makeImage({ rows: 8000, label: 'new', ...image })
      const again = join(dir, '.again')
      copyFileSync(temp, again)
      crashing = createCaptureClient({ entry: crashEntry(), env: { CRASH_AT: step } })
      await expect(crashing.publish(params(temp, { safetyCopy: safetyCopy() }))).rejects.toMatchObject({
        code: 'CAPTURE_DIED',
        message: expect.stringContaining('SIGKILL'),
      })

      const isNew = step === 'linked' || step === 'committed'
      const expected = isNew ? { labels: ['new'], rows: 8000 } : { labels: ['old'], rows: 5000 }
      // What an app sees that starts without us.
      const scratch = join(dir, 'scratch.db')
      for (const suffix of ['', '-wal', '-journal']) {
        if (existsSync(`${target}${suffix}`)) copyFileSync(`${target}${suffix}`, `${scratch}${suffix}`)
      }
      if (isNew || before === 'old') expect(look(scratch)).toEqual({ ...expected, integrity: 'ok' })
      else expect(tablesIn(scratch)).toEqual([])

      await capture.recoverPublish({ spoolDir: join(dir, 'spool'), target })
      const { state, journalMode } = await capture.inspect({ path: target })
      expect(state).toBe(isNew || before === 'old' ? 'database' : before)
      if (state === 'database') {
        expect(look(target)).toEqual({ ...expected, integrity: 'ok' })
        expect(journalMode).toBe(mode)
      }
      rmSync(safetyCopy(), { force: true })
      await capture.publish(params(again, { safetyCopy: safetyCopy() }))
      expect(look(target)).toEqual({ labels: ['new'], rows: 8000, integrity: 'ok' })
    })
  })
})

/** The capture process, with a bomb at one step. */
function crashEntry(): URL {
  const file = join(dir, 'crash.mjs')
  const from = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href)
  writeFileSync(
    file,
    `import { serve } from ${from('../rpc/serve.ts')}
     import { publish } from ${from('./publish.ts')}
     serve({
       publish: (params, { signal, emit }) => publish(params, {
         signal,
         emit(event) {
           if (event.kind === 'step' && event.step === process.env.CRASH_AT) process.kill(process.pid, 'SIGKILL')
           emit(event)
         },
       }),
     })`,
  )
  return pathToFileURL(file)
}

function tablesIn(file: string): readonly unknown[] {
  const database = new BetterSqlite(file)
  try {
    return database.prepare('SELECT name FROM sqlite_schema').all()
  } finally {
    database.close()
  }
}

function numbersIn(file: string): readonly number[] {
  const database = new BetterSqlite(file, { readonly: true })
  try {
    return database
      .prepare("SELECT CAST(filler AS INTEGER) AS n FROM t WHERE label = 'writer' ORDER BY n")
      .pluck()
      .all() as number[]
  } finally {
    database.close()
  }
}

interface Writer {
  count(): Promise<number>
  acknowledged(count: number): Promise<void>
  stop(): Promise<number>
}

/** An app in a process of its own: better-sqlite3, numbered commits one after the other. */
function startWriter(file: string): Writer {
  const script = join(dir, 'writer.mjs')
  writeFileSync(
    script,
    `import { createRequire } from 'node:module'
     const Database = createRequire(${JSON.stringify(import.meta.url)})('better-sqlite3')
     const app = new Database(process.argv[2], { timeout: 20_000 })
     const insert = app.prepare("INSERT INTO t(label, filler) VALUES ('writer', ?)")
     let n = 0
     let stopped = false
     process.on('message', () => { stopped = true })
     const write = () => {
       for (let i = 0; i < 20; i++) { insert.run(String(n + 1)); n += 1 }
       process.send(n)
       if (!stopped) return setImmediate(write)
       app.close()
       process.disconnect()
     }
     write()`,
  )
  const child = fork(script, [file], { execArgv: [] })
  let acknowledged = 0
  let wake = (): void => {}
  const exited = new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`The writer ended with ${code}.`))))
  })
  child.on('message', (n) => {
    acknowledged = Number(n)
    wake()
  })
  return {
    count: async () => acknowledged,
    async acknowledged(count) {
      while (acknowledged < count) {
        await Promise.race([
          exited,
          new Promise<void>((resolve) => {
            wake = resolve
          }),
        ])
      }
    },
    async stop() {
      child.send('stop')
      await exited
      return acknowledged
    },
  }
}
