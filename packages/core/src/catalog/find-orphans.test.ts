import { expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody, type Storage } from '../storage/storage.ts'
import { findOrphans, type Orphan } from './find-orphans.ts'
import { catalogKey } from './keys.ts'
import { tiers } from './manifest.ts'
import { exampleManifest, putExample } from './testing/example-manifest.ts'

const now = new Date('2026-11-20T12:00:00.000Z')

async function orphansOf(storage: Storage, database = 'app'): Promise<Orphan[]> {
  const found: Orphan[] = []
  for await (const orphan of findOrphans(storage, database, { now })) found.push(orphan)
  return found
}

test('whole backups of every tier are no orphans', async () => {
  const storage = memory()
  for (const [index, tier] of tiers.entries()) {
    await putExample(storage, { tier, created: new Date(Date.UTC(2026, 10, 1 + (index % 4), index)) })
  }
  expect(await orphansOf(storage)).toEqual([])
})

test('a crash between body and manifest leaves a body that is named', async () => {
  const storage = memory()
  await putExample(storage, { created: '2026-11-17T03:00:00.000Z' })
  const lost = exampleManifest({ created: '2026-11-18T03:00:00.000Z', tier: 'daily' })
  await storage.put(lost.body, bytesBody(Buffer.from('body')))
  await putExample(storage, { created: '2026-11-19T03:00:00.000Z' })
  expect(await orphansOf(storage)).toEqual([
    { kind: 'body-without-manifest', id: lost.id, key: lost.body, sizeBytes: 4 },
  ])
})

test('a young body may still get its manifest', async () => {
  const storage = memory()
  const coming = exampleManifest({ created: '2026-11-20T11:59:00.000Z' })
  await storage.put(coming.body, bytesBody(Buffer.from('body')))
  expect(await orphansOf(storage)).toEqual([])
})

test('a manifest whose body was deleted or cut is named', async () => {
  const storage = memory()
  const gone = await putExample(storage, { created: '2026-11-17T03:00:00.000Z' })
  const cut = await putExample(storage, { created: '2026-11-18T03:00:00.000Z', tier: 'weekly' })
  await putExample(storage, { created: '2026-11-18T03:00:00.000Z', tier: 'daily' })
  await storage.delete([gone.body])
  await storage.put(cut.body, bytesBody(Buffer.from('bod')))
  expect(await orphansOf(storage)).toEqual([
    { kind: 'manifest-without-body', id: gone.id, key: catalogKey(gone) },
    { kind: 'body-of-another-size', id: cut.id, key: cut.body, sizeBytes: 3, expectedSizeBytes: 4 },
  ])
})

test('a body in the folder of another tier does not count', async () => {
  const storage = memory()
  const moved = await putExample(storage, { created: '2026-11-17T03:00:00.000Z', tier: 'daily' })
  await storage.delete([moved.body])
  await storage.put(moved.body.replace('/daily/', '/hourly/'), bytesBody(Buffer.from('body')))
  expect((await orphansOf(storage)).map(({ kind }) => kind).sort()).toEqual([
    'body-without-manifest',
    'manifest-without-body',
  ])
})

test('a backup that comes while this looks is not called broken', async () => {
  const inner = memory()
  let arrived = false
  const storage: Storage = {
    ...inner,
    async list(options) {
      const page = await inner.list(options)
      // Between the listing of the bodies and that of the manifests.
      if (!arrived && options?.prefix?.includes('/backups/')) {
        arrived = true
        await putExample(inner, { created: '2026-11-20T11:00:00.000Z', tier: 'recent' })
      }
      return page
    },
  }
  expect(await orphansOf(storage)).toEqual([])
  expect(arrived).toBe(true)
})

test('records and other databases are left alone', async () => {
  const storage = memory()
  const other = exampleManifest({ database: 'app2', created: '2026-11-17T03:00:00.000Z' })
  await storage.put(other.body, bytesBody(Buffer.from('body')))
  expect(await orphansOf(storage)).toEqual([])
  expect(await orphansOf(storage, 'app2')).toHaveLength(1)
})
