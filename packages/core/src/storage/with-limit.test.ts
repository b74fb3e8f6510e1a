import { describe, expect, it } from 'vitest'
import { faulty } from './faulty.ts'
import { memory } from './memory.ts'
import { bytesBody } from './storage.ts'
import { storageSuite } from './storage-suite.ts'
import { fakeClock } from './testing/fake-clock.ts'
import { heldBody, MiB, patternBytes } from './testing/suite/bodies.ts'
import { collect, expectSameBytes, readAll } from './testing/suite/context.ts'
import { withLimit } from './with-limit.ts'

const mbps = { uploadBytesPerSecond: 8 * MiB, downloadBytesPerSecond: 8 * MiB }

storageSuite({
  name: 'memory with limit',
  open: () => withLimit(memory(), { ...mbps, concurrency: 4, clock: fakeClock() }),
})

describe('withLimit', () => {
  it('takes as long as the bytes need at that speed, in both directions', async () => {
    const clock = fakeClock()
    const storage = withLimit(memory(), { uploadBytesPerSecond: MiB, downloadBytesPerSecond: 2 * MiB, clock })
    const bytes = patternBytes(4 * MiB)
    await storage.put('a', bytesBody(bytes))
    expect(clock.now()).toBeCloseTo(4000)
    expectSameBytes(await readAll(storage, 'a'), bytes)
    expect(clock.now()).toBeCloseTo(6000)
    expect(Math.max(...clock.waits)).toBeLessThanOrEqual(126)
  })

  it('shares the speed among calls, and saves none up while nothing moves', async () => {
    const clock = fakeClock()
    const storage = withLimit(memory(), { uploadBytesPerSecond: MiB, clock })
    clock.advance(3_600_000)
    const before = clock.now()
    await Promise.all(['a', 'b', 'c'].map((key) => storage.put(key, bytesBody(patternBytes(MiB)))))
    expect(clock.now() - before).toBeGreaterThanOrEqual(3000)
  })

  it('lets so many calls in at a time, and a read counts until its stream ends', async () => {
    const storage = withLimit(memory(), { concurrency: 2 })
    await storage.put('a', bytesBody(patternBytes(10)))
    const held = heldBody(patternBytes(10), 5)
    const put = storage.put('b', held.body)
    await held.waiting
    const { stream } = await storage.get('a')
    let isDone = false
    const third = storage.head('a').then(() => {
      isDone = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(isDone).toBe(false)
    await collect(stream)
    await third
    expect(isDone).toBe(true)
    held.release()
    await put
  })

  it('frees the place of a call that fails, of a read left in its middle, and of a waiter that gives up', async () => {
    const storage = withLimit(faulty(memory(), [{ on: 'head', times: 3 }]), { concurrency: 1 })
    await storage.put('a', bytesBody(patternBytes(MiB)))
    for (let i = 0; i < 3; i++) await expect(storage.head('a')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(storage.get('nothing')).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
    const { stream } = await storage.get('a')
    const controller = new AbortController()
    const waiter = storage.head('a', { signal: controller.signal })
    controller.abort()
    await expect(waiter).rejects.toMatchObject({ code: 'ABORTED' })
    for await (const chunk of stream) {
      expect(chunk.byteLength).toBeGreaterThan(0)
      break
    }
    expect((await storage.head('a')).sizeBytes).toBe(MiB)
  })
})
