import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { filesystem, openBackup } from '@sqlite-backup/core'
import { expect, onTestFinished, test } from 'vitest'
import type { RestoreRequestReport } from './actions/restore-request.ts'
import { createAdmin } from './create-admin.ts'
import { isInterrupted } from './job-records.ts'
import type { Job } from './jobs.ts'

test('killed in the middle of a restore: the next start shows it, and what was asked for can be approved', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'admin-killed-'))
  const path = join(dir, 'shop.db')
  const db = new DatabaseSync(path)
  db.exec('PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER PRIMARY KEY)')
  const storages = { disk: filesystem({ dir: join(dir, 'backups') }) }
  const engine = await openBackup({ databases: { shop: path }, storages, jobs: false })
  onTestFinished(async () => {
    await engine.close()
    db.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const { id } = await engine.backup('shop')
  db.exec('INSERT INTO orders DEFAULT VALUES')

  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'testing/killed-app.ts'), path, join(dir, 'backups'), id],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const lines: unknown[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(JSON.parse(line))
    if (lines.length === 2) break
  }
  const [asked, begun] = lines as [{ request: RestoreRequestReport }, { job: Job }]
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited

  const admin = createAdmin({
    backup: engine,
    approvals: 2,
    authorize: () => ({ actor: { id: 'bob' }, permissions: 'all' }),
  })
  onTestFinished(() => admin.close())
  const visit = async (method: 'GET' | 'POST', where: string): Promise<string> => {
    const request = new Request(`http://localhost${where}`, { method, headers: { 'x-requested-by': 'test' } })
    return (await admin.handle(request, { input: request, basePath: '' })).text()
  }
  expect(await visit('GET', '/')).toContain('was interrupted')
  expect(JSON.parse(await visit('GET', `/api/jobs/${begun.job.id}`))).toMatchObject({
    job: { kind: 'restore', state: 'interrupted', actor: 'ann' },
  })
  expect(await visit('GET', `/jobs/${begun.job.id}`)).toContain('the old or the new one, whole')
  expect(db.prepare('SELECT count(*) AS n FROM orders').get()).toEqual({ n: 1 })

  const { job } = JSON.parse(await visit('POST', `/api/approvals/${asked.request.id}/approve`)) as { job: Job }
  let now = job
  while (now.state === 'running') {
    await delay(20)
    now = JSON.parse(await visit('GET', `/api/jobs/${job.id}`)).job
  }
  expect(now).toMatchObject({ state: 'succeeded', actor: 'bob' })
  expect(db.prepare('SELECT count(*) AS n FROM orders').get()).toEqual({ n: 0 })
})

test('a job is interrupted when its process is gone, and never because of another machine or a slow one', () => {
  const self = { host: 'here', pid: process.pid, nonce: 'mine' }
  const startedAt = '2026-11-20T12:00:00.000Z'
  const now = new Date('2026-11-20T12:00:30.000Z')
  const judge = (writer: Partial<typeof self>, seenAt: string): boolean =>
    isInterrupted({ writer: { ...self, nonce: 'other', ...writer }, seenAt }, { self, startedAt, now })
  const before = '2026-11-20T11:59:50.000Z'
  const after = '2026-11-20T12:00:20.000Z'
  // No process has this number: it is above what Linux and macOS give out.
  const dead = 2 ** 22 + 1
  expect(judge({ nonce: 'mine' }, before)).toBe(false)
  expect(judge({}, before)).toBe(true)
  expect(judge({ pid: dead }, before)).toBe(true)
  expect(judge({ pid: process.ppid }, before)).toBe(false)
  expect(judge({ host: 'there', pid: dead }, before)).toBe(false)
  // A container of the same name whose process lives on.
  expect(judge({ pid: dead }, after)).toBe(false)
  expect(judge({ host: 'there' }, '2026-11-20T11:59:20.000Z')).toBe(true)
})
