import { describe, expect, it } from 'vitest'
import { BackupError } from '../../../errors.ts'
import { type Body, bytesBody, type Storage } from '../../storage.ts'
import { failingBody, heldBody, MiB, patternBytes } from './bodies.ts'
import { collect, expectSameBytes, keysUnder, readAll, type SuiteContext } from './context.ts'

export function failuresSuite({ storage, freshPrefix, expectCode }: SuiteContext): void {
  /** Puts `body` where nothing is and where something is; both times nothing may change. */
  async function expectNothingStored(put: (key: string) => Promise<void>): Promise<void> {
    const prefix = freshPrefix()
    await storage().put(`${prefix}old`, bytesBody(Buffer.from('old')), { metadata: { version: 'old' } })
    await put(`${prefix}new`)
    await put(`${prefix}old`)
    await expectCode(storage().head(`${prefix}new`), 'OBJECT_MISSING')
    expect((await readAll(storage(), `${prefix}old`)).toString()).toBe('old')
    expect((await storage().head(`${prefix}old`)).metadata).toEqual({ version: 'old' })
    expect(await keysUnder(storage(), prefix)).toEqual(['old'])
  }

  describe('a put that fails', () => {
    for (const readyBytes of [10, 6 * MiB, 13 * MiB]) {
      it(`leaves nothing when the body breaks after ${readyBytes} bytes, and throws what the body threw`, async () => {
        const broken = new BackupError('CAPTURE_DIED', 'The source of the body is gone.')
        await expectNothingStored((key) =>
          expectCode(storage().put(key, failingBody(patternBytes(readyBytes), 20 * MiB, broken)), 'CAPTURE_DIED'),
        )
      })

      it(`leaves nothing when a growing body breaks after ${readyBytes} bytes`, async () => {
        await expectNothingStored(async (key) => {
          const held = heldBody(patternBytes(20 * MiB), readyBytes)
          const done = storage().put(key, held.body)
          const failed = expectCode(done, 'SPOOL_FAILED')
          await Promise.race([held.waiting, failed])
          held.fail(new BackupError('SPOOL_FAILED', 'The spool is gone.'))
          await failed
        })
      })

      it(`leaves nothing when it is aborted after ${readyBytes} bytes`, async () => {
        await expectNothingStored(async (key) => {
          const held = heldBody(patternBytes(20 * MiB), readyBytes)
          const controller = new AbortController()
          const done = storage().put(key, held.body, { signal: controller.signal })
          const aborted = expectCode(done, 'ABORTED')
          await Promise.race([held.waiting, aborted])
          controller.abort()
          await aborted
        })
      })
    }

    for (const sizeBytes of [100, 12 * MiB]) {
      it(`leaves nothing when a body of ${sizeBytes} bytes is shorter than it said`, async () => {
        const bytes = patternBytes(sizeBytes)
        const body: Body = { ...bytesBody(bytes), size: sizeBytes + 1 }
        await expectNothingStored((key) => expectCode(storage().put(key, body), 'BODY_TRUNCATED'))
      })
    }
  })

  describe('signals', () => {
    it('does nothing once the signal has fired', async () => {
      const prefix = freshPrefix()
      await storage().put(`${prefix}old`, bytesBody(Buffer.from('old')))
      const options = { signal: AbortSignal.abort() }
      await expectCode(storage().put(`${prefix}new`, bytesBody(Buffer.from('new')), options), 'ABORTED')
      await expectCode(storage().get(`${prefix}old`, options), 'ABORTED')
      await expectCode(storage().head(`${prefix}old`, options), 'ABORTED')
      await expectCode(storage().list({ prefix, ...options }), 'ABORTED')
      await expectCode(storage().delete([`${prefix}old`], options), 'ABORTED')
      expect(await keysUnder(storage(), prefix)).toEqual(['old'])
    })

    it('ends a read in its middle, and the next read is whole', async () => {
      const key = `${freshPrefix()}object`
      const bytes = patternBytes(17 * MiB)
      await storage().put(key, bytesBody(bytes))
      const controller = new AbortController()
      const { stream } = await storage().get(key, { signal: controller.signal })
      let seenBytes = 0
      const reading = (async () => {
        for await (const chunk of stream) {
          seenBytes += chunk.byteLength
          controller.abort()
        }
      })()
      await expectCode(reading, 'ABORTED')
      expect(seenBytes).toBeLessThan(bytes.length)
      expectSameBytes(await readAll(storage(), key), bytes)
    })

    it('says ABORTED also when the body has its own words for the signal', async () => {
      const controller = new AbortController()
      const body: Body = {
        size: 1000,
        async *stream() {
          yield patternBytes(10)
          controller.abort()
          controller.signal.throwIfAborted()
        },
      }
      const key = `${freshPrefix()}object`
      await expectCode(storage().put(key, body, { signal: controller.signal }), 'ABORTED')
      await expectCode(storage().head(key), 'OBJECT_MISSING')
    })

    it('leaves calls alone whose signal never fires', async () => {
      const key = `${freshPrefix()}object`
      const { signal } = new AbortController()
      await storage().put(key, bytesBody(Buffer.from('x')), { signal })
      const got = await storage().get(key, { signal })
      expect((await collect(got.stream)).toString()).toBe('x')
      await storage().delete([key], { signal })
      await expectCode(storage().head(key, { signal }), 'OBJECT_MISSING')
    })
  })

  describe('while a put runs', () => {
    for (const readyBytes of [10, 11 * MiB]) {
      it(`nothing is visible of its first ${readyBytes} bytes`, async () => {
        const prefix = freshPrefix()
        await storage().put(`${prefix}old`, bytesBody(Buffer.from('old')))
        const bytes = patternBytes(12 * MiB)
        const puts = ['new', 'old'].map((name) => {
          const held = heldBody(bytes, readyBytes)
          return { held, done: storage().put(prefix + name, held.body) }
        })
        for (const { held, done } of puts) await Promise.race([held.waiting, done])
        await expectOld(storage(), prefix)
        for (const { held } of puts) held.release()
        for (const { done } of puts) await done
        expectSameBytes(await readAll(storage(), `${prefix}new`), bytes)
        expectSameBytes(await readAll(storage(), `${prefix}old`), bytes)
      })
    }
  })

  async function expectOld(open: Storage, prefix: string): Promise<void> {
    await expectCode(open.head(`${prefix}new`), 'OBJECT_MISSING')
    expect((await readAll(open, `${prefix}old`)).toString()).toBe('old')
    expect(await keysUnder(open, prefix)).toEqual(['old'])
  }
}
