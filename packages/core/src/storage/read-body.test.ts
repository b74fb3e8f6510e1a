import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { BackupError } from '../errors.ts'
import { filesystem } from './filesystem.ts'
import { memory } from './memory.ts'
import { readBody } from './read-body.ts'
import { type BodySource, bytesBody, type Storage } from './storage.ts'
import { withLimit } from './with-limit.ts'
import { withPrefix } from './with-prefix.ts'
import { withRetry } from './with-retry.ts'

const bytes = randomBytes(100_000)
let dir: string
let disk: Storage

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'read-body-'))
  disk = filesystem({ dir })
  await disk.put('app/body', bytesBody(bytes))
})
afterEach(() => rmSync(dir, { recursive: true }))

async function bytesOf(body: BodySource): Promise<Buffer> {
  if ('file' in body) return readFileSync(body.file)
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** How it was handed over. */
async function read(storage: Storage, key: string, sizeBytes = bytes.length): Promise<'file' | 'stream'> {
  return readBody(storage, key, { sizeBytes }, async (body) => {
    expect((await bytesOf(body)).equals(bytes)).toBe(true)
    return 'file' in body ? 'file' : 'stream'
  })
}

test('hands over a file where the object is one, also behind retries and a prefix', async () => {
  expect(await read(disk, 'app/body')).toBe('file')
  expect(await read(withRetry(withPrefix(withRetry(disk), 'app')), 'body')).toBe('file')
})

test('never goes round what was wrapped around the bytes', async () => {
  expect(await read(withLimit(disk, { downloadBytesPerSecond: 1e9 }), 'app/body')).toBe('stream')
  expect(await read({ ...disk }, 'app/body')).toBe('stream')
  expect(await read(withRetry({ ...disk, get: (key, options) => disk.get(key, options) }), 'app/body')).toBe('stream')
})

test('hands over a stream from any other storage', async () => {
  const storage = memory()
  await storage.put('app/body', bytesBody(bytes))
  expect(await read(storage, 'app/body')).toBe('stream')
})

test('refuses a file of another size, or none', async () => {
  await expect(read(disk, 'app/body', bytes.length + 1)).rejects.toMatchObject({ code: 'BODY_TRUNCATED' })
  await expect(read(disk, 'app/body', bytes.length - 1)).rejects.toMatchObject({ code: 'BODY_TOO_LONG' })
  await expect(read(disk, 'app/other')).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
})

test('reads through the storage, which tries again, when the file cannot be read for a moment', async () => {
  const seen: string[] = []
  await readBody(disk, 'app/body', { sizeBytes: bytes.length }, async (body) => {
    seen.push('file' in body ? 'file' : 'stream')
    if ('file' in body) throw new BackupError('UNAVAILABLE', 'The mount is away.')
    expect((await bytesOf(body)).equals(bytes)).toBe(true)
  })
  expect(seen).toEqual(['file', 'stream'])
})
