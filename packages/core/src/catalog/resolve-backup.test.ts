import { expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody } from '../storage/storage.ts'
import { findById } from './find-by-id.ts'
import { catalogKey } from './keys.ts'
import { serializeManifest } from './manifest-codec.ts'
import { maxManifestBytes, putManifest } from './put-manifest.ts'
import { resolveBackup } from './resolve-backup.ts'
import { exampleManifest, putExample } from './testing/example-manifest.ts'

async function example() {
  const storage = memory({ name: 'memory test' })
  const oldest = await putExample(storage, { created: '2026-11-18T03:00:00.000Z' })
  const named = await putExample(storage, { created: '2026-11-19T03:00:00.000Z', tier: 'manual', name: 'v1' })
  const renamed = await putExample(storage, { created: '2026-11-19T04:00:00.000Z', tier: 'manual', name: 'v1' })
  const newest = await putExample(storage, { created: '2026-11-20T03:00:00.500Z' })
  return { storage, oldest, named, renamed, newest }
}

async function idOf(storage: ReturnType<typeof memory>, reference: string): Promise<string> {
  return (await resolveBackup(storage, 'app', reference)).manifest.id
}

test('latest, an id, a name and a time each find their backup', async () => {
  const { storage, oldest, named, renamed, newest } = await example()
  expect(await idOf(storage, 'latest')).toBe(newest.id)
  expect(await idOf(storage, oldest.id)).toBe(oldest.id)
  expect(await idOf(storage, newest.id.replace('Z', '.500Z'))).toBe(newest.id)
  expect(await idOf(storage, 'v1')).toBe(renamed.id)
  expect(await idOf(storage, '2026-11-19T03:59:59Z')).toBe(named.id)
  expect(await idOf(storage, '2026-11-19 06:30+02:30')).toBe(renamed.id)
})

test('two backups of one second are told apart', async () => {
  const storage = memory()
  const made = [
    await putExample(storage, { created: '2026-11-20T03:00:00.001Z' }),
    await putExample(storage, { created: '2026-11-20T03:00:00.002Z' }),
  ]
  for (const { id } of made) expect((await findById(storage, 'app', id))?.id).toBe(id)
})

test.each(['20261118T030000Z-zzzzzzzz', 'v2', '2026-11-18T02:59:59Z'])(
  'for %j, which is not there, the oldest and the newest are named',
  async (reference) => {
    const { storage, oldest, newest } = await example()
    await expect(resolveBackup(storage, 'app', reference)).rejects.toMatchObject({
      code: 'BACKUP_NOT_FOUND',
      message: expect.stringContaining('of database "app" in memory test'),
      hint: `The oldest is ${oldest.id} of 2026-11-18 03:00 UTC, the newest ${newest.id} of 2026-11-20 03:00 UTC. Run \`sqlite-backup list\` to see all.`,
    })
  },
)

test('for a database that is not there, those that are get named', async () => {
  const { storage } = await example()
  await expect(resolveBackup(storage, 'ap', 'latest')).rejects.toMatchObject({
    code: 'BACKUP_NOT_FOUND',
    hint: 'That storage holds backups of app.',
  })
  await expect(resolveBackup(memory(), 'app', 'latest')).rejects.toMatchObject({
    hint: 'That storage holds no backups at all.',
  })
})

test('a manifest that is damaged is refused by its key', async () => {
  const { storage, newest } = await example()
  const key = catalogKey(newest)
  await storage.put(key, bytesBody(Buffer.from(serializeManifest(newest).slice(0, 100))))
  await expect(resolveBackup(storage, 'app', 'latest')).rejects.toMatchObject({
    code: 'MANIFEST_INVALID',
    message: expect.stringContaining(key),
  })
})

test('a manifest under the key of another backup is refused', async () => {
  const { storage, oldest, newest } = await example()
  await storage.put(catalogKey(newest), bytesBody(Buffer.from(serializeManifest(oldest))))
  await expect(resolveBackup(storage, 'app', newest.id)).rejects.toMatchObject({
    code: 'MANIFEST_INVALID',
    message: expect.stringContaining(`it is the manifest of ${catalogKey(oldest)}`),
  })
})

test('what could not be read again is not written', async () => {
  const storage = memory()
  const manifest = exampleManifest()
  await expect(putManifest(storage, { ...manifest, body: 'elsewhere' })).rejects.toMatchObject({
    code: 'MANIFEST_INVALID',
  })
  const huge = { ...manifest, appVersion: 'x'.repeat(maxManifestBytes) }
  await expect(putManifest(storage, huge)).rejects.toMatchObject({ code: 'MANIFEST_INVALID' })
  expect((await storage.list()).objects).toEqual([])
})

test('latest is never what a restore replaced, unless there is nothing else', async () => {
  const storage = memory()
  const replaced = await putExample(storage, { created: '2026-11-20T05:00:00.000Z', tier: 'pre-restore' })
  expect(await idOf(storage, 'latest')).toBe(replaced.id)
  const restored = await putExample(storage, { created: '2026-11-20T03:00:00.000Z' })
  expect(await idOf(storage, 'latest')).toBe(restored.id)
  // Asked for by time, it is the state of that moment.
  expect(await idOf(storage, '2026-11-20T05:00:01Z')).toBe(replaced.id)
})
