import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EncodeOptions, EncodeResult } from '../codec/codec.ts'
import { createWorkClient } from './client.ts'

let dir: string
let file: string
let image: Buffer
let body: Buffer
let digests: EncodeResult
const work = createWorkClient()
const encode: EncodeOptions = {
  compression: 'zst',
  level: 3,
  frameSizeBytes: 256 * 1024,
  inFlight: 2,
  pieceSizeBytes: 1 << 20,
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'work-'))
  file = join(dir, 'app.db')
  const database = new DatabaseSync(file)
  database.exec('CREATE TABLE t(x)')
  const insert = database.prepare('INSERT INTO t VALUES (?)')
  database.exec('BEGIN')
  for (let i = 0; i < 2000; i++) insert.run(randomBytes(1000).toString('base64'))
  database.exec('COMMIT')
  database.close()
  image = readFileSync(file)
  digests = await work.encode({ file, spoolFile: join(dir, 'app.db.zst'), encode })
  body = readFileSync(join(dir, 'app.db.zst'))
})
afterAll(() => rmSync(dir, { recursive: true }))

const decodeOptions = () => ({ compression: 'zst', encrypted: false, expect: digests }) as const

async function* inChunks(bytes: Uint8Array, size = 50_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

describe('the work process', () => {
  it('packs an image and says what went in and what came out', () => {
    expect(digests.plain).toEqual({ sizeBytes: image.length, sha256: sha256(image) })
    expect(digests.stored).toEqual({ sizeBytes: body.length, sha256: sha256(body) })
  })

  it('unpacks a body into a file only its owner can read', async () => {
    const target = join(dir, 'unpacked.db')
    const result = await work.decode(inChunks(body), { file: target, options: decodeOptions(), reserveBytes: 0 })
    expect(result).toEqual(digests)
    expect(readFileSync(target).equals(image)).toBe(true)
    expect(statSync(target).mode & 0o777).toBe(0o600)
    expect(await work.check({ file: target, depth: 'quick', rowCounts: true })).toMatchObject({
      outcome: 'ok',
      tables: { t: 2000 },
    })
    expect(await work.diff({ now: file, after: target })).toMatchObject({
      isSame: true,
      tables: [{ name: 't', now: 2000, after: 2000, schema: 'same' }],
    })
  })

  it('hashes a body', async () => {
    expect(await work.hash(inChunks(body), { expect: digests.stored })).toEqual(digests.stored)
    await expect(work.hash(inChunks(body.subarray(1)), { expect: digests.stored })).rejects.toMatchObject({
      code: 'BODY_TRUNCATED',
    })
  })

  it.each([
    ['cut short', () => body.subarray(0, body.length - 10)],
    ['too long', () => Buffer.concat([body, Buffer.from('more')])],
    ['with a flipped bit', () => Buffer.from(body).fill((body[70_000] ?? 0) ^ 1, 70_000, 70_001)],
    ['empty', () => Buffer.alloc(0)],
  ])('refuses a body that is %s and leaves no file', async (name, broken) => {
    const target = join(dir, `${name}.db`)
    await expect(
      work.decode(inChunks(broken()), { file: target, options: decodeOptions(), reserveBytes: 0 }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^BODY_/) })
    expect(existsSync(target)).toBe(false)
  })

  it('does not write over a file', async () => {
    const target = join(dir, 'mine.db')
    writeFileSync(target, 'mine')
    await expect(
      work.decode(inChunks(body), { file: target, options: decodeOptions(), reserveBytes: 0 }),
    ).rejects.toMatchObject({ code: 'RESTORE_TARGET_EXISTS' })
    expect(readFileSync(target, 'utf8')).toBe('mine')
  })

  it('refuses to go below the reserve of free bytes', async () => {
    const target = join(dir, 'no-space.db')
    await expect(
      work.decode(inChunks(body), { file: target, options: decodeOptions(), reserveBytes: 2 ** 60 }),
    ).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
    expect(existsSync(target)).toBe(false)
  })

  it('passes on what its source throws', async () => {
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield body.subarray(0, 100_000)
      throw new Error('the line went dead')
    }
    await expect(
      work.decode(broken(), { file: join(dir, 'dead.db'), options: decodeOptions(), reserveBytes: 0 }),
    ).rejects.toThrow('the line went dead')
  })

  it('does not wait for a stalled source once the body is known to be broken', async () => {
    const stalled = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(1_000_000, 7)
      await new Promise(() => {})
    }
    await expect(
      work.decode(stalled(), { file: join(dir, 'stalled.db'), options: decodeOptions(), reserveBytes: 0 }),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^BODY_/) })
  })

  it('waits for the child instead of piling up bytes', async () => {
    let handedOut = 0
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      const chunk = Buffer.alloc(64 * 1024)
      for (;;) {
        handedOut += chunk.length
        yield chunk
      }
    }
    const expected = { sizeBytes: 50_000_000, sha256: sha256(Buffer.alloc(0)) }
    await expect(work.hash(endless(), { expect: expected })).rejects.toMatchObject({ code: 'BODY_TOO_LONG' })
    expect(handedOut).toBeGreaterThan(50_000_000)
    expect(handedOut).toBeLessThan(60_000_000)
  })

  it('stops when told to, and lets go of the source', async () => {
    const controller = new AbortController()
    let released = false
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for await (const chunk of inChunks(body, 1000)) {
          yield chunk
          controller.abort()
          await new Promise((resolve) => setTimeout(resolve, 5))
        }
      } finally {
        released = true
      }
    }
    await expect(work.hash(slow(), {}, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
    await expect.poll(() => released).toBe(true)
    await expect(work.hash(slow(), {}, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('answers several calls at a time, each in a process of its own', async () => {
    const calls = Array.from({ length: 4 }, () => work.check({ file, depth: 'full', rowCounts: true }))
    for (const report of await Promise.all(calls)) expect(report).toMatchObject({ outcome: 'ok', tables: { t: 2000 } })
  })

  it('leaves no child behind', async () => {
    await work.check({ file, depth: 'quick', rowCounts: false })
    if (process.platform !== 'linux') return
    await expect.poll(() => childrenRunning('work/main.ts'), { timeout: 10_000 }).toEqual([])
  })
})

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function childrenRunning(entry: string): readonly string[] {
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
        return parent === String(process.pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(entry)
      } catch {
        return false // It left while we looked.
      }
    })
}
