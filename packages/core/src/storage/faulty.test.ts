import { describe, expect, it } from 'vitest'
import { faulty } from './faulty.ts'
import { memory } from './memory.ts'
import { bytesBody } from './storage.ts'
import { storageSuite } from './storage-suite.ts'
import { fakeClock } from './testing/fake-clock.ts'
import { patternBytes } from './testing/suite/bodies.ts'
import { collect, readAll } from './testing/suite/context.ts'

storageSuite({ name: 'memory, faulty without a cue', open: () => faulty(memory(), []) })

describe('faulty', () => {
  const body = bytesBody(patternBytes(1000))

  it('fails the nth matching call, so many times, with the code asked for', async () => {
    const storage = faulty(memory(), [{ on: 'put', key: /\.json$/, nth: 2, times: 2, code: 'STORAGE_DENIED' }])
    const outcomes: string[] = []
    for (const key of ['1.json', '2.db', '3.json', '4.json', '5.json']) {
      outcomes.push(
        await storage.put(key, body).then(
          () => 'ok',
          (error: { code: string }) => error.code,
        ),
      )
    }
    expect(outcomes).toEqual(['ok', 'ok', 'STORAGE_DENIED', 'STORAGE_DENIED', 'ok'])
    expect(storage.hits()).toBe(2)
  })

  it('fails before, after, or in the middle', async () => {
    const inner = memory()
    const storage = faulty(inner, [
      { on: 'put', key: /before/ },
      { on: 'put', key: /after/, fail: 'after' },
      { on: 'put', key: /middle/, fail: 500 },
      { on: 'get', fail: 500 },
    ])
    for (const key of ['before', 'after', 'middle']) {
      await expect(storage.put(key, body)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
    expect((await inner.list()).objects.map(({ key }) => key)).toEqual(['after'])
    const seen: number[] = []
    const reading = (async () => {
      for await (const chunk of (await storage.get('after')).stream) seen.push(chunk.byteLength)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(seen).toEqual([500])
    expect((await readAll(storage, 'after')).byteLength).toBe(1000)
  })

  it('cuts a stream silently', async () => {
    const storage = faulty(memory(), [{ on: 'get', cutAt: 300 }])
    await storage.put('a', body)
    const { stream, sizeBytes } = await storage.get('a')
    expect(sizeBytes).toBe(1000)
    expect((await collect(stream)).byteLength).toBe(300)
  })

  it('delays, asks to wait, and hangs until the signal fires', async () => {
    const clock = fakeClock()
    const cues = [
      { on: 'list', delayMs: 5000 },
      { on: 'head', retryAfterMs: 9000 },
      { on: 'delete', fail: 'hang' },
    ] as const
    const storage = faulty(memory(), cues, { clock })
    expect((await storage.list()).objects).toEqual([])
    expect(clock.waits).toEqual([5000])
    await expect(storage.head('a')).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 9000 })
    const signal = AbortSignal.timeout(20)
    await expect(storage.delete(['a'], { signal })).rejects.toMatchObject({ code: 'ABORTED' })
  })
})
