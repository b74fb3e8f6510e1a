import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BackupError, bytesBody, openBackup, readObject, type Storage } from '@sqlite-backup/core'
import { memory, withCount } from '@sqlite-backup/core/testing'
import { expect, onTestFinished, test } from 'vitest'
import { createAdmin } from '../create-admin.ts'

test('the first view of 10,000 backups takes six requests, and the next one none', { timeout: 60_000 }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'admin-overview-'))
  const db = new DatabaseSync(join(dir, 'shop.db'))
  db.exec('CREATE TABLE t (x)')
  const disk = withCount(memory())
  const engine = await openBackup({ databases: { shop: join(dir, 'shop.db') }, storages: { disk }, jobs: false })
  onTestFinished(async () => {
    await engine.close()
    db.close()
    rmSync(dir, { recursive: true })
  })
  const { manifest } = await engine.backup('shop')
  await putOlder(disk, manifest?.created ?? '', 10_000)

  for (const approvals of [1, 2] as const) {
    const grant = { actor: { id: 'ann' }, permissions: 'all' } as const
    const admin = createAdmin({ backup: engine, authorize: () => grant, approvals })
    const visit = async (): Promise<string> => {
      const request = new Request('http://localhost/admin/backups')
      const response = await admin.handle(request, { input: request, basePath: '/admin/backups' })
      return response.text()
    }
    disk.reset()
    expect(await visit()).toContain('Sizes of the last 30 backups')
    // Beside the view, once: that two people are wanted is written down, and what was interrupted is read at mount.
    expect(disk.total() - disk.counts.put).toBeLessThanOrEqual(6 + (approvals - 1))
    expect(disk.counts.put).toBe(approvals - 1)
    disk.reset()
    await visit()
    await visit()
    // The second look for forks is a deeper one; after that, nothing is asked for a while.
    expect(disk.total()).toBeLessThanOrEqual(13)
    disk.reset()
    await visit()
    expect(disk.total()).toBe(0)
    const uses = new Request('http://localhost/admin/backups/api/storages')
    const { storages } = (await (await admin.handle(uses, { input: uses, basePath: '/admin/backups' })).json()) as {
      storages: { count: number; days: unknown[] }[]
    }
    expect(storages).toMatchObject([{ count: 10_001 }])
    expect(disk.total()).toBeLessThanOrEqual(11)
    await admin.close()
  }
})

test('what one storage knows about a backup is shown, and one that is down stops no download', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'admin-overview-'))
  const db = new DatabaseSync(join(dir, 'shop.db'))
  db.exec('CREATE TABLE t (x)')
  const [near, far] = [memory(), memory()]
  let isDown = false
  const away = (): Promise<never> => Promise.reject(new BackupError('STORAGE_MISSING', 'It is away.'))
  const shaky: Storage = { ...far, list: (...args) => (isDown ? away() : far.list(...args)) }
  const engine = await openBackup({
    databases: { shop: join(dir, 'shop.db') },
    storages: { near, far: shaky },
    jobs: false,
  })
  const { id } = await engine.backup('shop')
  await engine.verify(id, { database: 'shop', level: 'proven', from: 'near' })
  const grant = { actor: { id: 'ann' }, permissions: 'all' } as const
  const admin = createAdmin({ backup: engine, authorize: () => grant })
  onTestFinished(async () => {
    await admin.close()
    await engine.close()
    db.close()
    rmSync(dir, { recursive: true })
  })
  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const request = new Request(`http://localhost/admin/backups${path}`, init)
    return admin.handle(request, { input: request, basePath: '/admin/backups' })
  }
  const { newest } = (await (await call('/api/overview')).json()) as { newest: { marks: { level: string } }[] }
  // The newest may be in one storage only, and not in the first: whoever restores has to see it.
  const late = await engine.backup('shop', { to: ['far'] })
  const points = await (await call('/restore')).text()
  expect(points).toContain(`/restore/${late.id}?storage=far`)
  expect(points).toContain(`/restore/${id}?storage=near`)
  expect((await call(`/restore?at=${new Date(Date.now() + 60_000).toISOString()}`)).headers.get('location')).toContain(
    `/restore/${late.id}?storage=far`,
  )
  expect(newest.map(({ marks }) => marks.level)).toEqual(['proven'])

  const post = (path: string, body: unknown): Promise<Response> =>
    call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', 'x-sqlite-backup': '1' },
      body: JSON.stringify(body),
    })
  isDown = true
  expect(await (await call('/restore')).text()).toContain('far could not be read, so what only it has is missing here.')
  const link = await post(`/api/backups/${id}/download`, {})
  expect(link.status, await link.clone().text()).toBeLessThan(300)
  isDown = false
  expect((await post(`/api/backups/${id}/keep`, { keep: 'constructor' })).status).toBe(400)
})

test('a storage that neither answers nor fails holds no page for long, and is shown as not answering', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'admin-overview-'))
  const db = new DatabaseSync(join(dir, 'shop.db'))
  db.exec('CREATE TABLE t (x)')
  const [near, far] = [memory(), memory()]
  let isHanging = false
  const untilAbort = (signal: AbortSignal | undefined): Promise<never> =>
    new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)))
  const slow: Storage = {
    ...far,
    list: (options) => (isHanging ? untilAbort(options?.signal) : far.list(options)),
    get: (key, options) => (isHanging ? untilAbort(options?.signal) : far.get(key, options)),
  }
  const engine = await openBackup({
    databases: { shop: join(dir, 'shop.db') },
    storages: { far: slow, near },
    jobs: false,
  })
  await engine.backup('shop')
  const grant = { actor: { id: 'ann' }, permissions: 'all' } as const
  const admin = createAdmin({ backup: engine, authorize: () => grant, approvals: 2, storageWait: '40ms' })
  onTestFinished(async () => {
    isHanging = false
    await admin.close()
    await engine.close()
    db.close()
    rmSync(dir, { recursive: true })
  })
  isHanging = true
  for (const path of ['/', '/storage', '/audit']) {
    const request = new Request(`http://localhost/admin/backups${path}`)
    const response = await admin.handle(request, { input: request, basePath: '/admin/backups' })
    expect(response.status, path).toBe(200)
    expect(await response.text(), path).toContain('far did not answer within 40 ms.')
  }
  const named = new Request('http://localhost/admin/backups/backups?storage=far')
  expect((await admin.handle(named, { input: named, basePath: '/admin/backups' })).status).toBe(503)
})

/** Manifests of backups that were made every hour before: copies of the one that is there. */
async function putOlder(disk: ReturnType<typeof withCount>, created: string, count: number): Promise<void> {
  const { objects } = await disk.list({ prefix: 'shop/catalog/' })
  const key = objects[0]?.key ?? ''
  // Copies have another digest; one without is read as one of an early version.
  const { manifestSha256: _, ...manifest } = JSON.parse(Buffer.from(await readObject(disk, key)).toString())
  const text = JSON.stringify(manifest)
  const id = /\d{8}T\d{6}Z-([a-z2-7]{8})/.exec(text)?.[0] ?? ''
  for (let i = 1; i <= count; i++) {
    const at = new Date(Date.parse(created) - i * 3_600_000)
    const stamp = `${at.toISOString().slice(0, 23).replaceAll(/[-:]/g, '')}Z`
    const random = id.slice(-8)
    const older = text.replaceAll(created, at.toISOString()).replaceAll(id, `${stamp.slice(0, 15)}Z-${random}`)
    const name = key.slice(key.indexOf(random))
    const day = at.toISOString().slice(0, 10).replaceAll('-', '/')
    await disk.put(`shop/catalog/${day}/${stamp}-${name}`, bytesBody(Buffer.from(older)))
  }
}
