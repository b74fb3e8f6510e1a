import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { openBackup } from '../engine.ts'
import { filesystem } from '../storage/filesystem.ts'

function setUp() {
  const dir = mkdtempSync(join(tmpdir(), 'guard-capture-'))
  const path = join(dir, 'app.db')
  const db = new Database(path)
  onTestFinished(() => {
    db.close()
    rmSync(dir, { recursive: true, force: true })
  })
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE posts(id INTEGER PRIMARY KEY, text); INSERT INTO posts VALUES (1, 1), (2, 2), (3, 3)')
  return { path, storage: join(dir, 'storage'), db }
}

/** Kills the capture processes of this process; how many there were. */
function killCapture(): number {
  const children = readdirSync('/proc/self/task').flatMap((task) =>
    readFileSync(`/proc/self/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
  const found = children.filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('capture/main'))
  for (const pid of found) process.kill(pid, 'SIGKILL')
  return found.length
}

const posts = (db: Database.Database): unknown => db.prepare('SELECT count(*) FROM posts').pluck().get()

// The lock is the migrating process's own: https://sqlite.org/lockingv3.html#locking
test.runIf(process.platform === 'linux')(
  'when the capture process dies during a migration, no other process begins one, and the outcome is judged all the same',
  async () => {
    const { path, storage, db } = setUp()
    await using engine = await openBackup({
      databases: { app: path },
      storages: { disk: filesystem({ dir: storage }) },
    })
    const script = join(import.meta.dirname, 'testing/app.ts')
    const other = JSON.stringify({ path, storage, migration: 'good', lockWaitMs: 0 })
    let said = ''
    const run = engine.guard('app', async () => {
      killCapture()
      const { stdout } = await promisify(execFile)(process.execPath, [
        '--disable-warning=ExperimentalWarning',
        script,
        other,
      ])
      said = stdout
      db.exec('DELETE FROM posts')
    })
    await expect(run).rejects.toMatchObject({ code: 'MIGRATION_ROLLED_BACK', lost: [{ table: 'posts', before: 3 }] })
    expect(JSON.parse(said)).toEqual({ code: 'LOCKED' })
    expect(posts(db)).toBe(3)
  },
)

test.runIf(process.platform === 'linux').each(['restore.started', 'restore.progress'] as const)(
  'when it dies at %s of a roll-back, that is done again',
  async (step) => {
    const { path, storage, db } = setUp()
    await using engine = await openBackup({
      databases: { app: path },
      storages: { disk: filesystem({ dir: storage }) },
    })
    let isDue = false
    let killed = 0
    engine.onAny((name) => {
      isDue ||= name === step
      if (isDue && killed === 0) killed = killCapture()
    })
    await expect(engine.guard('app', () => void db.exec('DELETE FROM posts'))).rejects.toMatchObject({
      code: 'MIGRATION_ROLLED_BACK',
    })
    expect([killed, posts(db), db.pragma('integrity_check', { simple: true })]).toEqual([1, 3, 'ok'])
  },
)

test('two guards of one process: the second waits, or says that it would have to', async () => {
  const { path, storage, db } = setUp()
  const config = { databases: { app: path }, storages: { disk: filesystem({ dir: storage }) } }
  await using first = await openBackup(config)
  await using second = await openBackup(config)
  let during: unknown
  await first.guard('app', async () => {
    during = await second.guard('app', () => 'too early', { lockWaitMs: 0 }).catch((error: unknown) => error)
    db.exec('CREATE TABLE more(x)')
  })
  expect(during).toMatchObject({ code: 'LOCKED', message: 'Another process migrates app.' })
  expect(await second.guard('app', () => 'now')).toMatchObject({ outcome: 'kept', value: 'now' })
})
