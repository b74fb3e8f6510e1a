import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { BackupError } from '../errors.ts'
import { memory } from './memory.ts'
import { readInRanges } from './read-in-ranges.ts'
import { bytesBody, type GetOptions, type Storage } from './storage.ts'

const bytes = randomBytes(1_000_003)

async function stored(): Promise<Storage> {
  const storage = memory()
  await storage.put('body', bytesBody(bytes))
  return storage
}

async function read(
  storage: Storage,
  options: { inFlight?: number; rangeBytes?: number; sizeBytes?: number } = {},
): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of readInRanges(storage, 'body', { sizeBytes: bytes.length, ...options })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function watched(storage: Storage, onGet: (options: GetOptions) => void | Promise<void>): Storage {
  return {
    ...storage,
    async get(key, options = {}) {
      await onGet(options)
      return storage.get(key, options)
    },
  }
}

test('gives the bytes in order, whatever the ranges', async () => {
  const storage = await stored()
  for (const rangeBytes of [65_536, 250_001, 1_000_002, 1_000_003, 5_000_000]) {
    for (const inFlight of [1, 2, 4]) expect((await read(storage, { rangeBytes, inFlight })).equals(bytes)).toBe(true)
  }
})

test('asks for several ranges at once, of one version of the object', async () => {
  const asked: GetOptions[] = []
  const storage = watched(await stored(), (options) => void asked.push(options))
  await read(storage, { rangeBytes: 100_000, inFlight: 3 })
  expect(asked).toHaveLength(11)
  expect(asked.at(-1)?.range).toEqual({ start: 1_000_000, end: 1_000_003 })
  expect(new Set(asked.slice(1).map((options) => options.ifMatch)).size).toBe(1)
  expect(asked[1]?.ifMatch).toBeDefined()
})

test('refuses an object of another size before reading it', async () => {
  const storage = await stored()
  await expect(read(storage, { sizeBytes: bytes.length + 1 })).rejects.toMatchObject({ code: 'BODY_TRUNCATED' })
  await expect(read(storage, { sizeBytes: bytes.length - 1 })).rejects.toMatchObject({ code: 'BODY_TOO_LONG' })
})

test('refuses an object that is replaced while it is read', async () => {
  const storage = await stored()
  const replaced = watched(storage, async ({ range }) => {
    if (range?.start === 300_000) await storage.put('body', bytesBody(randomBytes(bytes.length)))
  })
  await expect(read(replaced, { rangeBytes: 100_000, inFlight: 2 })).rejects.toMatchObject({ code: 'OBJECT_CHANGED' })
})

test('throws what a range throws, and lets go of the others', async () => {
  const signals: AbortSignal[] = []
  const broken = watched(await stored(), ({ range, signal }) => {
    if (signal !== undefined) signals.push(signal)
    if (range?.start === 200_000) throw new BackupError('UNAVAILABLE', 'down')
  })
  await expect(read(broken, { rangeBytes: 100_000 })).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  expect(signals.every((signal) => signal.aborted)).toBe(true)
})

test('lets go of the storage when the reader leaves early', async () => {
  const signals: AbortSignal[] = []
  const storage = watched(await stored(), ({ signal }) => void (signal !== undefined && signals.push(signal)))
  for await (const chunk of readInRanges(storage, 'body', { sizeBytes: bytes.length, rangeBytes: 100_000 })) {
    expect(chunk.length).toBeGreaterThan(0)
    break
  }
  expect(signals.length).toBeGreaterThan(0)
  expect(signals.every((signal) => signal.aborted)).toBe(true)
})
