import { expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody } from '../storage/storage.ts'
import { withCount } from '../storage/with-count.ts'
import { findNewest } from './find-newest.ts'
import { findOldest } from './find-oldest.ts'
import { type BackupFilter, listBackupPage, listBackups } from './list-backups.ts'
import { listDatabases } from './list-databases.ts'
import { putExample } from './testing/example-manifest.ts'

async function example() {
  const storage = withCount(memory())
  const made = [
    await putExample(storage, { created: '2026-11-18T03:00:00.000Z', tier: 'daily' }),
    await putExample(storage, { created: '2026-11-19T03:00:00.000Z', tier: 'daily' }),
    await putExample(storage, { created: '2026-11-19T09:30:00.000Z', tier: 'manual', name: 'before import' }),
    await putExample(storage, { created: '2026-11-20T03:00:00.000Z', tier: 'daily' }),
    await putExample(storage, {
      created: '2026-11-20T03:00:00.000Z',
      tier: 'manual',
      name: 'before import 2',
      database: 'app2',
    }),
    await putExample(storage, { created: '2026-11-20T04:00:00.000Z', tier: 'hourly', database: 'tenants/acme' }),
  ] as const
  storage.reset()
  return { storage, made, ids: made.map(({ id }) => id) }
}

async function idsOf(storage: ReturnType<typeof memory>, filter: BackupFilter): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of listBackups(storage, filter)) ids.push(id)
  return ids
}

test('backups of one database are listed newest first, without one GET', async () => {
  const { storage, ids } = await example()
  expect(await idsOf(storage, { database: 'app' })).toEqual([ids[3], ids[2], ids[1], ids[0]])
  expect(storage.counts).toMatchObject({ get: 0, head: 0 })
})

test('app and app2 do not see each other', async () => {
  const { storage, ids } = await example()
  expect(await idsOf(storage, { database: 'app2' })).toEqual([ids[4]])
  expect(await idsOf(storage, { database: 'ap' })).toEqual([])
  expect((await findNewest(storage, 'app'))?.id).toBe(ids[3])
})

test('without a database those of all are listed, still newest first', async () => {
  const { storage, ids } = await example()
  const listed = await idsOf(storage, {})
  expect(listed).toHaveLength(6)
  expect(listed[0]).toBe(ids[5])
  expect(listed.slice(3)).toEqual([ids[2], ids[1], ids[0]])
})

test('tier, name and time are filters', async () => {
  const { storage, ids } = await example()
  expect(await idsOf(storage, { database: 'app', tier: 'daily' })).toEqual([ids[3], ids[1], ids[0]])
  // The whole name: what only begins with it is another one.
  expect(await idsOf(storage, { name: 'before import' })).toEqual([ids[2]])
  const since = new Date('2026-11-19T03:00:00.000Z')
  const until = new Date('2026-11-19T09:30:00.000Z')
  expect(await idsOf(storage, { database: 'app', since, until })).toEqual([ids[2], ids[1]])
})

test('pages follow one another without a gap, over one database and over all', async () => {
  const { storage } = await example()
  for (const filter of [{ database: 'app' }, {}, { tier: 'daily' as const }]) {
    const whole = await idsOf(storage, filter)
    const paged: string[] = []
    let cursor: string | undefined
    do {
      const page = await listBackupPage(storage, { ...filter, limit: 2, cursor })
      expect(page.items.length).toBeLessThanOrEqual(2)
      paged.push(...page.items.map(({ id }) => id))
      cursor = page.cursor
    } while (cursor !== undefined)
    expect(paged).toEqual(whole)
  }
})

test('a cursor or limit that is none is refused', async () => {
  await expect(listBackupPage(memory(), { cursor: 'app/x' })).rejects.toMatchObject({ code: 'USAGE' })
  await expect(listBackupPage(memory(), { limit: 0 })).rejects.toMatchObject({ code: 'USAGE' })
})

test('a body without a manifest is invisible', async () => {
  const storage = memory()
  await storage.put('app/backups/hourly/20261120T030000.000Z-aaaaaaaa.db.zst', bytesBody(Buffer.from('body')))
  expect(await listDatabases(storage)).toEqual([])
  expect(await idsOf(storage, {})).toEqual([])
  expect(await findNewest(storage, 'app')).toBeUndefined()
  expect(await findOldest(storage, 'app')).toBeUndefined()
})

test('databases are named without a config, and other folders are not taken for one', async () => {
  const { storage } = await example()
  await storage.put('uploads/photo.jpg', bytesBody(Buffer.from('x')))
  await storage.put('index.html', bytesBody(Buffer.from('x')))
  expect(await listDatabases(storage)).toEqual(['app', 'app2', 'tenants/acme'])
})
