import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BackupError } from '../errors.ts'
import { type Cue, faulty } from './faulty.ts'
import { memory } from './memory.ts'
import type { Retry, RetryOptions } from './patience.ts'
import { bytesBody, type Storage } from './storage.ts'
import { storageSuite } from './storage-suite.ts'
import { fakeClock } from './testing/fake-clock.ts'
import { chunkedBody, heldBody, MiB, patternBytes } from './testing/suite/bodies.ts'
import { collect, expectSameBytes, readAll } from './testing/suite/context.ts'
import { withCount } from './with-count.ts'
import { withRetry } from './with-retry.ts'

storageSuite({ name: 'memory with retry', open: () => withRetry(memory()) })

storageSuite({
  name: 'memory with retry, over a storage where every third call fails, in its middle or after it was done',
  open: () => {
    const always = { times: Number.POSITIVE_INFINITY }
    const cues: readonly Cue[] = [
      { ...always, chance: 0.1, fail: 'before' },
      { ...always, chance: 0.1, fail: 'after' },
      { ...always, chance: 0.1, fail: 700_000 },
      { ...always, on: 'get', chance: 0.1, cutAt: 100_000 },
    ]
    const random = seeded(42)
    const clock = fakeClock()
    return withRetry(faulty(memory(), cues, { random }), { attempts: 50, deadlineMs: 1e9, clock, random })
  },
})

describe('withRetry', () => {
  const key = 'app/object'
  const text = (value: string) => bytesBody(Buffer.from(value))

  function setUp(cues: readonly Cue[], options: RetryOptions = {}, inner: Storage = memory()) {
    const clock = fakeClock()
    const retries: Retry[] = []
    const counted = withCount(faulty(inner, cues))
    const onRetry = (retry: Retry): void => void retries.push(retry)
    const storage = withRetry(counted, { clock, random: () => 0.5, onRetry, ...options })
    return { inner, storage, clock, retries, counts: counted.counts }
  }

  it('waits a random part of a bound that doubles up to a limit', async () => {
    const { inner, storage, clock, retries, counts } = setUp([{ on: 'head', times: 5 }], {
      attempts: 6,
      maxDelayMs: 1000,
    })
    await inner.put(key, text('x'))
    await storage.head(key)
    expect(clock.waits).toEqual([100, 200, 400, 500, 500])
    expect(counts.head).toBe(6)
    expect(retries.map(({ attempt, delayMs }) => [attempt, delayMs])).toEqual([
      [1, 100],
      [2, 200],
      [3, 400],
      [4, 500],
      [5, 500],
    ])
    expect(retries[0]).toMatchObject({ doing: `head ${key} in memory`, error: { code: 'UNAVAILABLE' } })
  })

  it('waits as long as the storage asks', async () => {
    const { storage, clock } = setUp([
      { on: 'list', retryAfterMs: 7000 },
      { on: 'list', retryAfterMs: 3 },
    ])
    await storage.list()
    expect(clock.waits).toEqual([7000, 100 * 2])
  })

  it('gives up after so many tries, and says how many', async () => {
    const { storage, counts } = setUp([{ on: 'list', times: 99, retryAfterMs: 1000 }], { attempts: 4 })
    await expect(storage.list({ prefix: 'app/' })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/^Gave up to list app\/ in memory, tried 4 times in 3 s: Failed on cue/),
      retryAfterMs: 1000,
    })
    expect(counts.list).toBe(4)
  })

  it('begins no try behind the deadline, not even when the storage asks for it', async () => {
    const late = setUp([{ on: 'list', times: 99 }], { attempts: 99, deadlineMs: 2000, maxDelayMs: 1000 })
    await expect(late.storage.list()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(late.clock.now()).toBeLessThanOrEqual(2000)
    expect(late.clock.waits).toEqual([100, 200, 400, 500, 500])
    const asked = setUp([{ on: 'list', retryAfterMs: 60_001 }])
    await expect(asked.storage.list()).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 60_001 })
    expect(asked.counts.list).toBe(1)
  })

  it('tries nothing again but UNAVAILABLE', async () => {
    for (const code of [
      'STORAGE_DENIED',
      'STORAGE_FULL',
      'STORAGE_MISSING',
      'STORAGE_FAILED',
      'OBJECT_MISSING',
    ] as const) {
      const { storage, counts, clock } = setUp([{ on: 'get', code }])
      await expect(storage.get(key)).rejects.toMatchObject({ code })
      expect(counts.get).toBe(1)
      expect(clock.waits).toEqual([])
    }
  })

  it('stops waiting when the signal fires', async () => {
    const controller = new AbortController()
    const storage = withRetry(faulty(memory(), [{ times: 99 }]), {
      baseDelayMs: 60_000,
      random: () => 0.9,
      onRetry: () => setImmediate(() => controller.abort()),
    })
    await expect(storage.head(key, { signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  it('sends a body again from its beginning, also one that still grows', async () => {
    const { storage, counts } = setUp([{ on: 'put', fail: 400_000, times: 2 }])
    const bytes = patternBytes(MiB)
    const held = heldBody(bytes, 500_000)
    const done = storage.put(key, held.body)
    held.release()
    expect((await done).sizeBytes).toBe(MiB)
    expectSameBytes(await readAll(storage, key), bytes)
    expect(counts.put).toBe(3)
  })

  it('lets a long upload take longer than the deadline as long as it moves', async () => {
    const clock = fakeClock()
    const slow = faulty(memory(), [{ on: 'put', fail: 900_000 }])
    const storage = withRetry(slow, { clock, deadlineMs: 10_000 })
    const bytes = patternBytes(MiB)
    const body = {
      size: bytes.length,
      async *stream() {
        for (let at = 0; at < bytes.length; at += 100_000) {
          clock.advance(9000)
          yield bytes.subarray(at, at + 100_000)
        }
      },
    }
    expect((await storage.put(key, body)).sizeBytes).toBe(MiB)
    expect(slow.hits()).toBe(1)
  })

  describe('a read that breaks', () => {
    it('goes on where it was, as often as needed, as long as bytes arrive', async () => {
      const { inner, storage, counts } = setUp([{ on: 'get', fail: 300_000, times: 20 }], { attempts: 2 })
      const bytes = patternBytes(5 * MiB)
      await inner.put(key, bytesBody(bytes))
      expectSameBytes(await readAll(storage, key), bytes)
      expect(counts.get).toBe(Math.ceil((5 * MiB) / 300_000))
    })

    it('goes on within the range that was asked for', async () => {
      const bytes = patternBytes(3 * MiB)
      const inner = memory()
      await inner.put(key, bytesBody(bytes))
      const range = fc.record({ start: fc.nat(3 * MiB + 10), end: fc.nat(3 * MiB + 10) }, { requiredKeys: [] })
      await fc.assert(
        fc.asyncProperty(range, fc.integer({ min: 1, max: MiB }), fc.boolean(), async (asked, at, isCut) => {
          const cue: Cue = { on: 'get', times: 3, ...(isCut ? { cutAt: at } : { fail: at }) }
          const { storage } = setUp([cue], {}, inner)
          const { stream } = await storage.get(key, { range: asked })
          const { start = 0, end = bytes.length } = asked
          expectSameBytes(await collect(stream), bytes.subarray(start, Math.max(start, end)))
        }),
        { numRuns: 60 },
      )
    })

    it('refuses to mix two versions of an object', async () => {
      const { inner, storage } = setUp([{ on: 'get', fail: 300_000 }])
      await inner.put(key, bytesBody(patternBytes(MiB, 1)))
      const { stream } = await storage.get(key)
      await inner.put(key, bytesBody(patternBytes(MiB, 2)))
      await expect(collect(stream)).rejects.toMatchObject({ code: 'OBJECT_CHANGED' })
    })

    it('refuses it also where a store has no etags', async () => {
      const plain = withoutEtags(memory())
      const { storage } = setUp([{ on: 'get', fail: 300_000 }], {}, plain)
      await plain.put(key, bytesBody(patternBytes(MiB, 1)))
      const { stream } = await storage.get(key)
      await plain.put(key, bytesBody(patternBytes(MiB + 1, 2)))
      await expect(collect(stream)).rejects.toMatchObject({ code: 'OBJECT_CHANGED' })
    })

    it('says what is wrong when it cannot go on', async () => {
      const { inner, storage } = setUp(
        [
          { on: 'get', fail: 1000 },
          { on: 'get', times: 99 },
        ],
        { attempts: 3 },
      )
      await inner.put(key, bytesBody(patternBytes(MiB)))
      const { stream } = await storage.get(key)
      await expect(collect(stream)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    })
  })

  describe('a conditional write whose answer was lost', () => {
    it('is recognised as ours', async () => {
      const { storage, counts } = setUp([{ on: 'put', fail: 'after' }])
      const result = await storage.put(key, text('mine'), { ifAbsent: true, metadata: { note: 'x' } })
      expect(result).toEqual({ sizeBytes: 4, etag: (await storage.head(key)).etag })
      expect((await storage.head(key)).metadata).toEqual({ note: 'x' })
      expect((await storage.get(key)).metadata).toEqual({ note: 'x' })
      expect(counts.put).toBe(2)
    })

    it('is not taken for ours when somebody else wrote the same bytes in between', async () => {
      const { inner, storage } = setUp([{ on: 'put', fail: 'before' }])
      await withRetry(inner).put(key, text('claim'), { ifAbsent: true })
      await expect(storage.put(key, text('claim'), { ifAbsent: true })).rejects.toMatchObject({ code: 'OBJECT_EXISTS' })
    })

    it('is not even looked at when the first answer says that the object exists', async () => {
      const { inner, storage, counts } = setUp([])
      await inner.put(key, text('theirs'))
      await expect(storage.put(key, text('theirs'), { ifAbsent: true })).rejects.toMatchObject({
        code: 'OBJECT_EXISTS',
      })
      expect(counts).toMatchObject({ put: 1, head: 0, get: 0 })
    })

    it('is recognised by its bytes where a store drops metadata', async () => {
      const bytes = patternBytes(MiB)
      const ours = setUp([{ on: 'put', fail: 'after' }], {}, withoutMetadata(memory()))
      expect((await ours.storage.put(key, chunkedBody(bytes), { ifAbsent: true })).sizeBytes).toBe(MiB)
      for (const other of [patternBytes(MiB, 2), patternBytes(MiB + 1)]) {
        const theirs = setUp([{ on: 'put', fail: 'before' }], {}, withoutMetadata(memory()))
        await theirs.inner.put(key, bytesBody(other))
        const put = theirs.storage.put(key, chunkedBody(bytes), { ifAbsent: true })
        await expect(put).rejects.toMatchObject({ code: 'OBJECT_EXISTS' })
      }
    })

    it('is recognised though the look at it fails, too', async () => {
      const { storage } = setUp([
        { on: 'put', fail: 'after' },
        { on: 'head', times: 2 },
      ])
      expect((await storage.put(key, text('mine'), { ifAbsent: true })).sizeBytes).toBe(4)
    })

    it('has exactly one winner among many whose answers are lost', async () => {
      for (let round = 0; round < 20; round++) {
        const inner = memory()
        const lossy = faulty(inner, [{ on: 'put', fail: 'after', chance: 0.7, times: 99 }], { random: seeded(round) })
        const writers = Array.from({ length: 8 }, () => withRetry(lossy, { clock: fakeClock(), attempts: 99 }))
        const results = await Promise.allSettled(writers.map((one) => one.put(key, text('same'), { ifAbsent: true })))
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      }
    })
  })

  it('passes on what the body throws', async () => {
    const { storage, counts } = setUp([])
    const body = {
      size: 10,
      // biome-ignore lint/correctness/useYield: it fails before it has anything
      async *stream(): AsyncGenerator<Uint8Array> {
        throw new BackupError('SPOOL_FAILED', 'The spool is gone.')
      },
    }
    await expect(storage.put(key, body)).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
    expect(counts.put).toBe(1)
  })
})

function withoutEtags(storage: Storage): Storage {
  return {
    ...storage,
    async get(key, options) {
      const { etag: _, ...result } = await storage.get(key, options)
      return result
    },
  }
}

function withoutMetadata(storage: Storage): Storage {
  return { ...storage, put: (key, body, { metadata: _, ...options } = {}) => storage.put(key, body, options) }
}

/** Mulberry32: small, and the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}
