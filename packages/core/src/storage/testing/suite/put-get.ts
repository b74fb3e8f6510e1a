import { describe, expect, it } from 'vitest'
import { isBackupError } from '../../../errors.ts'
import { bytesBody } from '../../storage.ts'
import { chunkedBody, digestedBody, heldBody, KiB, MiB, patternBytes } from './bodies.ts'
import { collect, expectSameBytes, readAll, type SuiteContext } from './context.ts'

export function putGetSuite({ storage, freshPrefix, traits, expectCode }: SuiteContext): void {
  describe('put and get', () => {
    for (const sizeBytes of [0, 1, 5 * MiB, 5 * MiB + 1, 17 * MiB + 3]) {
      it(`gives back ${sizeBytes} bytes`, async () => {
        const key = `${freshPrefix()}object`
        const bytes = patternBytes(sizeBytes)
        const sent: number[] = []
        const result = await storage().put(key, chunkedBody(bytes), { onProgress: (n) => sent.push(n) })
        expect(result.sizeBytes).toBe(sizeBytes)
        if (sizeBytes > 0) expect(sent.at(-1)).toBe(sizeBytes)
        const got = await storage().get(key)
        expect(got.sizeBytes).toBe(sizeBytes)
        expectSameBytes(await collect(got.stream), bytes)
      })
    }

    it('replaces an object as a whole, also with a smaller one', async () => {
      const key = `${freshPrefix()}object`
      for (const [seed, sizeBytes] of [6 * MiB, 10, 0, 300 * KiB].entries()) {
        const bytes = patternBytes(sizeBytes, seed)
        await storage().put(key, bytesBody(bytes))
        expectSameBytes(await readAll(storage(), key), bytes)
      }
    })

    it('takes digests that come with the body', async () => {
      const key = `${freshPrefix()}object`
      const bytes = patternBytes(11 * MiB)
      await storage().put(key, digestedBody(bytes, 5 * MiB))
      expectSameBytes(await readAll(storage(), key), bytes)
    })

    for (const ready of [0, 100, 7 * MiB]) {
      it(`waits for a body of which only ${ready} bytes are there yet`, async () => {
        const key = `${freshPrefix()}object`
        const bytes = patternBytes(12 * MiB + 1)
        const held = heldBody(bytes, ready)
        const done = storage().put(key, held.body)
        await Promise.race([held.waiting, done])
        await expectCode(storage().head(key), 'OBJECT_MISSING')
        held.release()
        expect((await done).sizeBytes).toBe(bytes.length)
        expectSameBytes(await readAll(storage(), key), bytes)
      })
    }

    it('stores a growing body that stays empty', async () => {
      const key = `${freshPrefix()}object`
      const held = heldBody(Buffer.alloc(0), 0)
      const done = storage().put(key, held.body)
      held.release()
      expect((await done).sizeBytes).toBe(0)
      expectSameBytes(await readAll(storage(), key), Buffer.alloc(0))
    })

    it('keeps objects apart that are put at the same time', async () => {
      const prefix = freshPrefix()
      const all = Array.from({ length: 12 }, (_, i) => ({ key: `${prefix}${i}`, bytes: patternBytes(MiB + i, i) }))
      await Promise.all(all.map(({ key, bytes }) => storage().put(key, chunkedBody(bytes))))
      for (const { key, bytes } of all) expectSameBytes(await readAll(storage(), key), bytes)
    })

    it('ends with one whole object when many put the same key', async () => {
      const key = `${freshPrefix()}object`
      const bodies = Array.from({ length: 8 }, (_, i) => patternBytes(MiB + i, i))
      await Promise.all(bodies.map((bytes) => storage().put(key, chunkedBody(bytes))))
      const got = await readAll(storage(), key)
      expect(bodies.some((bytes) => bytes.equals(got))).toBe(true)
    })

    it('shows a reader one whole object or the other while it is replaced', async () => {
      const key = `${freshPrefix()}object`
      const versions = [patternBytes(2 * MiB, 1), patternBytes(3 * MiB, 2)]
      await storage().put(key, bytesBody(versions[0] ?? Buffer.alloc(0)))
      let isWriting = true
      const writer = async (): Promise<void> => {
        for (let i = 1; i <= 10; i++) await storage().put(key, chunkedBody(versions[i % 2] ?? Buffer.alloc(0)))
        isWriting = false
      }
      const reader = async (): Promise<void> => {
        while (isWriting) {
          const got = await readAll(storage(), key).catch((error: unknown) => {
            // To be told so is as good: a decorator that reads on may find another version.
            if (!isBackupError(error, 'OBJECT_CHANGED')) throw error
          })
          if (got !== undefined) expect(versions.some((bytes) => bytes.equals(got))).toBe(true)
        }
      }
      await Promise.all([writer(), reader()])
    })
  })

  describe('ranges', () => {
    const bytes = patternBytes(700 * KiB)
    const ranges = [
      {},
      { start: 0, end: 1 },
      { start: 1 },
      { end: 5 },
      { start: 300 * KiB, end: 300 * KiB + 17 },
      { start: 10, end: 600 * KiB },
      { start: bytes.length - 1 },
      { start: bytes.length - 5, end: bytes.length + 1000 },
      { start: bytes.length },
      { start: bytes.length + 10, end: bytes.length + 20 },
      { start: 5, end: 5 },
    ]
    it('gives exactly the bytes of the range, and the facts of the whole object', async () => {
      const key = `${freshPrefix()}object`
      await storage().put(key, bytesBody(bytes))
      for (const range of ranges) {
        const got = await storage().get(key, { range })
        expect(got.sizeBytes, JSON.stringify(range)).toBe(bytes.length)
        expectSameBytes(await collect(got.stream), bytes.subarray(range.start ?? 0, range.end ?? bytes.length))
      }
    })

    it('gives an empty stream for any range of an empty object', async () => {
      const key = `${freshPrefix()}object`
      await storage().put(key, bytesBody(Buffer.alloc(0)))
      for (const range of [{}, { start: 0 }, { start: 0, end: 10 }, { start: 3 }]) {
        const got = await storage().get(key, { range })
        expect(got.sizeBytes).toBe(0)
        expectSameBytes(await collect(got.stream), Buffer.alloc(0))
      }
    })

    it('goes on working after many reads were left in the middle', async () => {
      const key = `${freshPrefix()}object`
      const large = patternBytes(6 * MiB)
      await storage().put(key, bytesBody(large))
      for (let i = 0; i < 80; i++) {
        const { stream } = await storage().get(key)
        for await (const chunk of stream) {
          expect(chunk.byteLength).toBeGreaterThan(0)
          break
        }
      }
      expectSameBytes(await readAll(storage(), key), large)
    })
  })

  describe('head, metadata and etags', () => {
    it('says size, time and metadata without the bytes', async () => {
      const key = `${freshPrefix()}object`
      const metadata = { 'write-id': 'abc-123', note: 'two words, and = signs; 100%' }
      const bytes = patternBytes(1234)
      await storage().put(key, bytesBody(bytes), { metadata, contentType: 'application/json' })
      const facts = await storage().head(key)
      expect(facts.sizeBytes).toBe(1234)
      expect(facts.modified).toBeInstanceOf(Date)
      expect(facts.metadata).toEqual(metadata)
      const got = await storage().get(key, { range: { end: 10 } })
      expect(got.metadata).toEqual(metadata)
      expectSameBytes(await collect(got.stream), bytes.subarray(0, 10))
    })

    it('keeps metadata of a body of many parts', async () => {
      const key = `${freshPrefix()}object`
      const metadata = { note: 'large' }
      await storage().put(key, chunkedBody(patternBytes(12 * MiB)), { metadata })
      expect((await storage().head(key)).metadata).toEqual(metadata)
    })

    it('replaces metadata together with the object, and forgets it with the object', async () => {
      const key = `${freshPrefix()}object`
      await storage().put(key, bytesBody(Buffer.from('one')), { metadata: { version: '1' } })
      await storage().put(key, bytesBody(Buffer.from('two')), { metadata: { version: '2' } })
      expect((await storage().head(key)).metadata).toEqual({ version: '2' })
      await storage().put(key, bytesBody(Buffer.from('ten')))
      expect((await storage().head(key)).metadata).toEqual({})
      await storage().put(key, bytesBody(Buffer.from('one')), { metadata: { version: '4' } })
      await storage().delete([key])
      await storage().put(key, bytesBody(Buffer.from('one')))
      expect((await storage().head(key)).metadata).toEqual({})
    })

    it('says OBJECT_MISSING for what is not there', async () => {
      const prefix = freshPrefix()
      await expectCode(storage().head(`${prefix}nothing`), 'OBJECT_MISSING')
      await expectCode(storage().get(`${prefix}nothing`), 'OBJECT_MISSING')
      await expectCode(storage().get(`${prefix}nothing`, { range: { start: 5 } }), 'OBJECT_MISSING')
      await storage().put(`${prefix}folder/object`, bytesBody(Buffer.from('x')))
      await expectCode(storage().get(`${prefix}folder`), 'OBJECT_MISSING')
    })

    if (traits.etags) {
      it('gives the same etag everywhere, and another one after a change', async () => {
        const key = `${freshPrefix()}object`
        const first = await storage().put(key, bytesBody(Buffer.from('first')))
        const { etag } = await storage().head(key)
        expect(etag).toBeTruthy()
        expect(first.etag).toBe(etag)
        const got = await storage().get(key, { ...(etag === undefined ? {} : { ifMatch: etag }), range: { start: 1 } })
        expect(got.etag).toBe(etag)
        expectSameBytes(await collect(got.stream), Buffer.from('irst'))
        const page = await storage().list({ prefix: key })
        expect(page.objects.map((object) => object.etag)).toEqual([etag])
        const second = await storage().put(key, bytesBody(Buffer.from('other')))
        expect(second.etag).not.toBe(etag)
      })

      it('refuses to read on when the object has changed', async () => {
        const key = `${freshPrefix()}object`
        const { etag = '' } = await storage().put(key, bytesBody(Buffer.from('first')))
        await storage().put(key, bytesBody(Buffer.from('other')))
        await expectCode(storage().get(key, { ifMatch: etag }), 'OBJECT_CHANGED')
        await expectCode(storage().get(key, { ifMatch: etag, range: { start: 3 } }), 'OBJECT_CHANGED')
        await expectCode(storage().get(key, { ifMatch: etag, range: { start: 99 } }), 'OBJECT_CHANGED')
        await storage().delete([key])
        await expectCode(storage().get(key, { ifMatch: etag }), 'OBJECT_MISSING')
      })
    } else {
      it('trait etags=false: gives none', async () => {
        const key = `${freshPrefix()}object`
        expect((await storage().put(key, bytesBody(Buffer.from('x')))).etag).toBeUndefined()
        expect((await storage().head(key)).etag).toBeUndefined()
      })
    }
  })
}
