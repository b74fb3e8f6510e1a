import { expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody } from '../storage/storage.ts'
import { withCount } from '../storage/with-count.ts'
import type { VerifyRecord } from '../verify/record.ts'
import { findNewest } from './find-newest.ts'
import { findOrphans } from './find-orphans.ts'
import { type BackupEntry, catalogKey, parseCatalogKey } from './keys.ts'
import { listBackupPage } from './list-backups.ts'
import { listDatabases } from './list-databases.ts'
import type { Manifest } from './manifest.ts'
import { parseRecordKey } from './record-keys.ts'
import {
  deleteKeepMarker,
  listRecords,
  listRecordsOf,
  maxRecordBytes,
  putKeepMarker,
  putVerifyRecord,
  readKeepMarker,
  readRecords,
  readVerifyRecord,
} from './records.ts'
import { summarizeRecords } from './summarize-records.ts'
import { putExample } from './testing/example-manifest.ts'

const proven: VerifyRecord = {
  level: 'proven',
  outcome: 'ok',
  at: '2026-11-20T05:00:00.000Z',
  durationMs: 12.5,
  integrity: 'ok',
  messages: ['ok'],
  foreignKeyViolations: 2,
  tables: { users: 120, 'with "quotes"': 0, __proto__x: 1 },
}
const failed: VerifyRecord = {
  level: 'checked',
  outcome: 'failed',
  at: '2026-11-20T06:00:00.000Z',
  durationMs: 3,
  error: { code: 'BODY_DIGEST_MISMATCH', message: 'The body is not what was stored.' },
}

function entryOf(manifest: Manifest): BackupEntry {
  const entry = parseCatalogKey(catalogKey(manifest))
  if (entry === undefined) throw new Error('no entry')
  return entry
}

async function example() {
  const storage = withCount(memory())
  const backup = entryOf(await putExample(storage))
  return { storage, backup }
}

test('what was found reads back as it was', async () => {
  const { storage, backup } = await example()
  for (const record of [proven, failed]) {
    const key = await putVerifyRecord(storage, backup, record)
    expect(await readVerifyRecord(storage, { key })).toEqual(record)
  }
  expect(await readRecords(storage, backup)).toEqual([proven, failed])
})

test('keys alone tell what was found', async () => {
  const { storage, backup } = await example()
  const key = await putVerifyRecord(storage, backup, proven)
  expect(key).toBe(
    `app/records/2026/11/20/20261120T030000.000Z-${backup.id.slice(-8)}/20261120T050000.000Z-verify-proven-ok.json`,
  )
  storage.reset()
  expect(await listRecords(storage, backup)).toEqual([
    { kind: 'verify', id: backup.id, level: 'proven', outcome: 'ok', at: new Date(proven.at), key },
  ])
  expect(storage.total()).toBe(1)
})

test('records do not disturb listing, the newest, the databases or the search for orphans', async () => {
  const { storage, backup } = await example()
  await putVerifyRecord(storage, backup, proven)
  await putKeepMarker(storage, backup, { at: '2026-11-20T05:00:00.000Z' })
  expect((await listBackupPage(storage)).items).toEqual([backup])
  expect((await findNewest(storage, 'app'))?.id).toBe(backup.id)
  expect(await listDatabases(storage)).toEqual(['app'])
  const now = new Date('2026-12-01')
  for await (const orphan of findOrphans(storage, 'app', { now })) expect.unreachable(orphan.kind)
})

test('the records of a page of backups take one LIST', async () => {
  const storage = withCount(memory())
  const backups: BackupEntry[] = []
  for (let hour = 0; hour < 30; hour++) {
    const created = new Date(Date.UTC(2026, 10, 20, hour))
    const backup = entryOf(await putExample(storage, { created }))
    backups.push(backup)
    await putVerifyRecord(storage, backup, { ...proven, at: '2026-12-01T00:00:00.000Z' })
  }
  const page = backups.slice(10, 20)
  storage.reset()
  const records = await listRecordsOf(storage, page)
  expect(storage.total()).toBe(1)
  expect([...records.keys()]).toEqual(page.map(({ id }) => id))
  for (const { id } of page) expect(records.get(id)).toHaveLength(1)
  expect(await listRecordsOf(storage, [])).toEqual(new Map())
})

test('reading the records of a backup that was verified a hundred times takes few requests', async () => {
  const { storage, backup } = await example()
  for (let day = 1; day <= 100; day++) {
    await putVerifyRecord(storage, backup, { ...proven, at: new Date(Date.UTC(2026, 11, day)).toISOString() })
  }
  storage.reset()
  const records = await readRecords(storage, backup)
  expect(records.map(({ at }) => at)).toEqual([new Date(Date.UTC(2026, 11, 100)).toISOString()])
  expect(storage.total()).toBe(2)
})

test('a backup can be kept, and given back', async () => {
  const { storage, backup } = await example()
  const marker = { at: '2026-11-20T05:00:00.000Z', actor: 'alice', reason: 'before the audit' }
  await putKeepMarker(storage, backup, marker)
  expect(await readKeepMarker(storage, backup)).toEqual(marker)
  expect(summarizeRecords(await listRecords(storage, backup)).isKept).toBe(true)
  await deleteKeepMarker(storage, backup)
  expect(summarizeRecords(await listRecords(storage, backup)).isKept).toBe(false)
  await expect(readKeepMarker(storage, backup)).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
})

test('a record stays small, whatever was found', async () => {
  const { storage, backup } = await example()
  const tables = Object.fromEntries(
    Array.from({ length: 50_000 }, (_, index) => [`a rather long table name ${index}`, index]),
  )
  const messages = Array.from({ length: 5000 }, () => 'x'.repeat(5000))
  const key = await putVerifyRecord(storage, backup, { ...proven, tables, messages })
  expect((await storage.head(key)).sizeBytes).toBeLessThanOrEqual(maxRecordBytes)
  const record = await readVerifyRecord(storage, { key })
  expect(record.tables).toBeUndefined()
  expect(record.messages).toHaveLength(101)
  expect(record.messages?.at(-1)).toContain('50000 tables were left out')
})

test('a damaged record is refused by its key', async () => {
  const { storage, backup } = await example()
  const key = await putVerifyRecord(storage, backup, proven)
  for (const text of ['', '{}', JSON.stringify({ ...proven, tables: { users: -1 } })]) {
    await storage.put(key, bytesBody(Buffer.from(text)))
    await expect(readVerifyRecord(storage, { key })).rejects.toMatchObject({
      code: 'MANIFEST_INVALID',
      message: expect.stringContaining(key),
    })
  }
})

test.each([
  'app/records/2026/11/21/20261120T030000.000Z-aaaaaaaa/keep.json',
  'app/records/2026/11/20/20261120T030000.000Z-aaaaaaaa/20261120T050000.000Z-verify-best-ok.json',
  'app/records/2026/11/20/20261120T030000.000Z-aaaaaaaa/20261120T996000.000Z-verify-proven-ok.json',
  'app/records/2026/11/20/20261120T030000.000Z-aaaaaaaa/x/keep.json',
  'app/catalog/2026/11/20/20261120T030000.000Z-aaaaaaaa-daily-1.json',
])('%s is not the key of a record', (key) => {
  expect(parseRecordKey(key)).toBeUndefined()
})

const record = (level: 'stored' | 'checked' | 'proven', outcome: 'ok' | 'failed', hour: number) =>
  ({ kind: 'verify', id: 'x', level, outcome, at: new Date(Date.UTC(2026, 10, 20, hour)), key: 'x' }) as const

test.each([
  ['nothing was looked at', [], undefined, false],
  ['the deepest level passed counts', [record('proven', 'ok', 1), record('stored', 'ok', 2)], 'proven', false],
  ['a failure makes it bad', [record('proven', 'ok', 1), record('checked', 'failed', 2)], undefined, true],
  [
    'a shallower success later does not heal it',
    [record('checked', 'failed', 1), record('stored', 'ok', 2)],
    undefined,
    true,
  ],
  ['a success as deep does', [record('checked', 'failed', 1), record('checked', 'ok', 2)], 'checked', false],
  ['a deeper one too', [record('stored', 'failed', 1), record('proven', 'ok', 2)], 'proven', false],
  ['the order of keys does not matter', [record('checked', 'ok', 2), record('checked', 'failed', 1)], 'checked', false],
])('in a summary, when %s', (_, records, level, isBad) => {
  expect(summarizeRecords(records)).toMatchObject({ isBad, isKept: false })
  expect(summarizeRecords(records).level).toBe(level)
})
