import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { expect, onTestFinished, test } from 'vitest'
import { approvalsFolder, isApprovalRequired, parseBreakGlass, setApprovalRule } from '../audit/approvals.ts'
import { createAuditLog } from '../audit/audit-log.ts'
import { openBackup } from '../engine.ts'
import { memory } from '../storage/memory.ts'
import { listAll, readObject, type Storage } from '../storage/storage.ts'

async function setUp(disk: Storage) {
  const dir = mkdtempSync(join(tmpdir(), 'glass-'))
  const db = new Database(join(dir, 'app.db'))
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE t (x)')
  const engine = await openBackup({ databases: { app: join(dir, 'app.db') }, storages: { disk }, jobs: false })
  onTestFinished(async () => {
    await engine.close()
    db.close()
    rmSync(dir, { recursive: true })
  })
  const { id } = await engine.backup('app')
  db.exec('INSERT INTO t VALUES (1)')
  return { engine, id, count: () => db.prepare('SELECT count(*) FROM t').pluck().get() }
}

test('whether restores need two people is written down in the storage', async () => {
  const { engine } = await setUp(memory())
  expect(await isApprovalRequired(engine, 'app')).toBe(false)
  await setApprovalRule(engine, 'app', true)
  expect(await isApprovalRequired(engine, 'app')).toBe(true)
  expect(await isApprovalRequired(engine, 'other')).toBe(false)
  await setApprovalRule(engine, 'app', false)
  expect(await isApprovalRequired(engine, 'app')).toBe(false)
})

test('a restore that nobody else approved is told by an event, a record and the audit log', async () => {
  const disk = memory()
  const { engine, id, count } = await setUp(disk)
  const heard: unknown[] = []
  engine.on('restore.brokeGlass', (event) => heard.push(event))
  const { warnings } = await engine.restore(id, { actor: 'root@host', breakGlass: { reason: 'nobody is awake' } })
  expect([count(), warnings]).toEqual([0, []])
  expect(heard).toMatchObject([{ database: 'app', id, actor: 'root@host', reason: 'nobody is awake' }])
  const records: unknown[] = []
  for await (const { key } of listAll(disk, { prefix: approvalsFolder('app') })) {
    records.push(parseBreakGlass(JSON.parse(Buffer.from(await readObject(disk, key)).toString())))
  }
  expect(records).toMatchObject([{ actor: 'root@host', backup: id, reason: 'nobody is awake' }])
  const log = createAuditLog({ storages: [{ name: 'disk', storage: disk }], now: () => new Date() })
  const { entries, problems } = await log.read('app')
  expect(entries.map(({ action, actor }) => `${actor} ${action}`)).toEqual([
    'root@host restore.succeeded',
    'root@host restore.broke-glass',
  ])
  expect(problems).toEqual([])
})

test('an emergency does not wait for a storage that takes no records', async () => {
  const disk = memory()
  const { engine, id, count } = await setUp({
    ...disk,
    put: (key, body, options) =>
      /audit|approvals/.test(key) ? disk.put('', body, options) : disk.put(key, body, options),
  })
  const { warnings } = await engine.restore(id, { actor: 'root', breakGlass: { reason: 'storage is read-only' } })
  expect(count()).toBe(0)
  expect(warnings.join()).toContain('could not be written down')
})
