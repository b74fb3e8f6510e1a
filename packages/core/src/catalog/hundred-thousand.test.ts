// What listing costs with 100,000 backups: requests are counted, time is not.
import { beforeAll, expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody } from '../storage/storage.ts'
import { type CountedStorage, withCount } from '../storage/with-count.ts'
import { backupId } from './backup-id.ts'
import { findById } from './find-by-id.ts'
import { findNewest } from './find-newest.ts'
import { findOldest } from './find-oldest.ts'
import { catalogKey } from './keys.ts'
import { listBackupPage, listBackups } from './list-backups.ts'
import { resolveBackup } from './resolve-backup.ts'
import { putExample } from './testing/example-manifest.ts'

const COUNT = 100_000
const HOUR = 3_600_000
const first = Date.UTC(2015, 0, 1, 0, 17)
const last = first + (COUNT - 1) * HOUR
const newestId = backupId(new Date(last), Uint8Array.of(0, 0, 0, 0, 0))

let storage: CountedStorage

beforeAll(async () => {
  const inner = memory()
  const nothing = bytesBody(new Uint8Array())
  for (let index = 0; index < COUNT; index++) {
    const created = new Date(first + index * HOUR)
    const id = backupId(created, Uint8Array.of(0, 0, 0, 0, 0))
    const named = index === 10 ? { name: 'first release' } : {}
    const facts = { database: 'app', created: created.toISOString(), id, tier: 'hourly' as const, ...named }
    await inner.put(catalogKey({ ...facts, stored: { sizeBytes: 4 } }), nothing)
  }
  storage = withCount(inner)
})

/** What `ask` returns, and the requests it took. */
async function counted<T>(ask: () => Promise<T>): Promise<{ readonly value: T; readonly requests: number }> {
  storage.reset()
  const value = await ask()
  return { value, requests: storage.total() }
}

test('the newest is found with at most five requests', async () => {
  const { value, requests } = await counted(() => findNewest(storage, 'app'))
  expect(value?.id).toBe(newestId)
  expect(requests).toBeLessThanOrEqual(5)
})

test.each([
  ['in the middle of a day', '2020-06-15T12:30:00.000Z', '2020-06-15T12:17:00.000Z'],
  ['in the first minutes of a day', '2020-06-15T00:05:00.000Z', '2020-06-14T23:17:00.000Z'],
  ['after the newest', '2099-01-01T00:00:00.000Z', new Date(last).toISOString()],
])('the newest at or before a time %s is found with at most five requests', async (_, at, created) => {
  const { value, requests } = await counted(() => findNewest(storage, 'app', { at: new Date(at) }))
  expect(value?.created.toISOString()).toBe(created)
  expect(requests).toBeLessThanOrEqual(5)
})

test('the newest at or before the first minutes of a year takes a few more', async () => {
  const { value, requests } = await counted(() => findNewest(storage, 'app', { at: new Date('2020-01-01T00:05:00Z') }))
  expect(value?.created.toISOString()).toBe('2019-12-31T23:17:00.000Z')
  expect(requests).toBeLessThanOrEqual(8)
})

test('an id is found with one LIST, and its manifest with one GET', async () => {
  const { value, requests } = await counted(() => findById(storage, 'app', newestId))
  expect(value?.id).toBe(newestId)
  expect(requests).toBe(1)

  const manifest = await putExample(storage, { created: '2021-03-04T05:06:07.890Z' })
  storage.reset()
  expect((await resolveBackup(storage, 'app', manifest.id)).manifest).toEqual(manifest)
  expect(storage.counts).toMatchObject({ list: 1, get: 1 })
  expect(storage.total()).toBe(2)
  await storage.delete([(await resolveBackup(storage, 'app', manifest.id)).entry.key])
})

test('the oldest is found with one request', async () => {
  const { value, requests } = await counted(() => findOldest(storage, 'app'))
  expect(value?.created.getTime()).toBe(first)
  expect(requests).toBe(1)
})

test('a page of fifty takes at most six requests, and the next one too', async () => {
  const page = await counted(() => listBackupPage(storage, { database: 'app', limit: 50 }))
  expect(page.value.items).toHaveLength(50)
  expect(page.requests).toBeLessThanOrEqual(6)
  const next = await counted(() => listBackupPage(storage, { database: 'app', limit: 50, cursor: page.value.cursor }))
  expect(next.value.items[0]?.created.getTime()).toBe(last - 50 * HOUR)
  expect(next.requests).toBeLessThanOrEqual(6)
})

test('a name given ten years ago is found by reading keys alone', async () => {
  const { value, requests } = await counted(async () => {
    for await (const entry of listBackups(storage, { database: 'app', name: 'first release' })) return entry
    return undefined
  })
  expect(value?.name).toBe('first release')
  // 100 pages hold them all; halving costs some more.
  expect(requests).toBeLessThan(200)
  expect(storage.counts.get).toBe(0)
})
