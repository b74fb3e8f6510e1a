import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import BetterSqlite from 'better-sqlite3'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Manifest } from '../catalog/manifest.ts'
import { storeBackupOf } from '../restore/testing/stored-backup.ts'
import { faulty } from '../storage/faulty.ts'
import { memory } from '../storage/memory.ts'
import { bytesBody, readObject, type Storage } from '../storage/storage.ts'
import { createWorkClient } from '../work/client.ts'
import type { CheckLevel, VerifyRecord } from './record.ts'
import { type VerifyBackup, verifyBackup } from './verify-backup.ts'

const work = createWorkClient()
const now = (): Date => new Date('2026-11-20T12:00:00.000Z')
let dir: string
let image: string
let storage: Storage
let manifest: Manifest

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'verify-'))
  image = join(dir, 'image.db')
  const app = new BetterSqlite(image)
  app.exec('CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT); CREATE TABLE orders(user REFERENCES users(id))')
  const insert = app.prepare('INSERT INTO users(name) VALUES (?)')
  app.transaction(() => {
    for (let i = 0; i < 3000; i++) insert.run(`name ${i}`.repeat(20))
  })()
  app.exec('INSERT INTO orders VALUES (1), (2)')
  app.close()
})
beforeEach(async () => {
  storage = memory()
  manifest = await storeBackupOf(image, [storage])
})
afterAll(() => rmSync(dir, { recursive: true }))

function verify(level: CheckLevel, more: Partial<VerifyBackup> = {}): Promise<VerifyRecord> {
  return verifyBackup({
    storage,
    manifest,
    level,
    work,
    scratchDir: join(dir, 'scratch'),
    reserveBytes: 0,
    now,
    ...more,
  })
}

async function replaceBody(change: (body: Buffer) => Uint8Array): Promise<void> {
  const body = Buffer.from(await readObject(storage, manifest.body, { maxBytes: 1e9 }))
  await storage.put(manifest.body, bytesBody(change(body)))
}

describe('verifyBackup', () => {
  it('finds a good backup stored, checked and proven', async () => {
    const base = { outcome: 'ok', at: '2026-11-20T12:00:00.000Z', durationMs: expect.any(Number) }
    expect(await verify('stored')).toEqual({ ...base, level: 'stored' })
    expect(await verify('checked')).toEqual({ ...base, level: 'checked' })
    expect(await verify('proven')).toEqual({
      ...base,
      level: 'proven',
      integrity: 'ok',
      foreignKeyViolations: 0,
      tables: { users: 3000, orders: 2 },
    })
    expect(readdirSync(join(dir, 'scratch'))).toEqual([])
  })

  it.each([
    ['stored', 'failed'],
    ['checked', 'failed'],
    ['proven', 'failed'],
  ] as const)('finds a body that is gone or cut at level %s', async (level, outcome) => {
    await replaceBody((body) => body.subarray(1))
    expect(await verify(level)).toMatchObject({ outcome, error: { code: 'BODY_TRUNCATED' } })
    await storage.delete([manifest.body])
    expect(await verify(level)).toMatchObject({ outcome, error: { code: 'OBJECT_MISSING' } })
  })

  it.each([
    ['stored', 'ok'],
    ['checked', 'failed'],
    ['proven', 'failed'],
  ] as const)('a flipped bit makes "%s" %s', async (level, outcome) => {
    await replaceBody((body) => body.fill((body[20_000] ?? 0) ^ 1, 20_000, 20_001))
    const record = await verify(level)
    expect(record.outcome).toBe(outcome)
    if (outcome === 'failed') expect(record.error?.code).toMatch(/^BODY_/)
    expect(existsSync(join(dir, 'scratch')) ? readdirSync(join(dir, 'scratch')) : []).toEqual([])
  })

  it.each([
    ['checked', 'ok'],
    ['proven', 'failed'],
  ] as const)('a database that was damaged when it was backed up makes "%s" %s', async (level, outcome) => {
    const damaged = join(dir, 'damaged.db')
    const bytes = readFileSync(image)
    bytes.fill(0xa5, 8192, 4 * 4096)
    writeFileSync(damaged, bytes)
    manifest = await storeBackupOf(damaged, [storage])
    const record = await verify(level)
    expect(record.outcome).toBe(outcome)
    if (level === 'proven') {
      expect(record.integrity).toBe('damaged')
      expect(record.messages?.length).toBeGreaterThan(0)
    }
  })

  it('takes an encrypted backup as checked without its key, and proves it only with the key', async () => {
    manifest = await storeBackupOf(image, [storage], { encryption: { passphrase: 'hush', workFactor: 10 } })
    expect((await verify('checked')).outcome).toBe('ok')
    await expect(verify('proven')).rejects.toMatchObject({ code: 'IDENTITY_MISSING' })
    expect(await verify('proven', { keys: { passphrase: 'hush' } })).toMatchObject({
      outcome: 'ok',
      tables: { users: 3000 },
    })
  })

  it('says nothing about a backup it could not look at', async () => {
    const down = faulty(storage, [{ on: 'head', times: 99, code: 'UNAVAILABLE' }])
    await expect(verify('stored', { storage: down })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(verify('proven', { reserveBytes: 2 ** 55 })).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
    await expect(verify('proven', { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('removes what killed verifications left, once it is a day old', async () => {
    await verify('proven')
    const [old, young, foreign] = ['verify-old.db', 'verify-young.db', 'notes.db'].map((name) =>
      join(dir, 'scratch', name),
    )
    for (const file of [old, young, foreign]) writeFileSync(file ?? '', '')
    utimesSync(old ?? '', now(), new Date('2026-11-19T11:00:00Z'))
    for (const file of [young, foreign]) utimesSync(file ?? '', now(), new Date('2026-11-20T11:00:00Z'))
    await verify('proven')
    expect(readdirSync(join(dir, 'scratch')).sort()).toEqual(['notes.db', 'verify-young.db'])
  })
})
