import { createHash, randomBytes } from 'node:crypto'
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { type Body, isBackupError, type Storage, withRetry } from '@sqlite-backup/core'
import { type Fault, type FaultProxy, hasRgw, startFaultProxy } from '@sqlite-backup/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { s3 } from './s3.ts'
import { type RgwBucket, startRgwBucket } from './testing/rgw-bucket.ts'

const mib = 1024 ** 2
const pieceBytes = 5 * mib
const contents = { small: randomBytes(200_000), parts: randomBytes(2 * pieceBytes + 100_000) } as const

/** A body whose digests come with it, as the engine's do. */
function bodyOf(bytes: Buffer): Body {
  return {
    size: bytes.length,
    pieces: {
      sizeBytes: pieceBytes,
      sha256: async (index) => sha256(bytes.subarray(index * pieceBytes, (index + 1) * pieceBytes)),
    },
    async *stream({ start = 0, end = bytes.length } = {}) {
      for (let at = start; at < end; at += 65_536) yield bytes.subarray(at, Math.min(end, at + 65_536))
    },
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

async function read(storage: Storage, key: string): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of (await storage.get(key)).stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Where in a connection it happens: in the request's head, early, late, and behind most of it. */
const offsets = { small: [100, 3000, 150_000], parts: [100, 1_000_000, 4_900_000] } as const
const once = { times: 1 }

for (const tls of [false, true]) {
  describe.skipIf(!hasRgw())(`a broken network to Ceph RGW, ${tls ? 'TLS' : 'plain HTTP'}`, () => {
    let rgw: RgwBucket
    let direct: Storage
    let count = 0

    beforeAll(async () => {
      rgw = await startRgwBucket({ tls })
      direct = s3(rgw.options)
      for (const [name, bytes] of Object.entries(contents)) await direct.put(`down/${name}`, bodyOf(bytes))
    })
    afterAll(async () => {
      await direct?.close?.()
      await rgw?.stop()
    })

    const startProxy = () => startFaultProxy({ port: (tls ? rgw.tlsPort : rgw.port) ?? 0 })

    /** A storage with connections of its own, since faults count the bytes of a connection. */
    function through(proxy: FaultProxy): Storage {
      const endpoint = tls ? `https://localhost:${proxy.port}` : `http://127.0.0.1:${proxy.port}`
      // Long enough for a machine that has much else to do: a store that is only slow must not look broken.
      const timeouts = { connect: '5s', request: '3s', idle: '1500ms' } as const
      return s3({ ...rgw.options, endpoint, timeouts, ...(tls && { caFile: rgw.caFile ?? '' }) })
    }

    const retrying = (storage: Storage) => withRetry(storage, retryOptions)

    async function uploads(prefix: string): Promise<number> {
      const { Uploads = [] } = await rgw.client.send(
        new ListMultipartUploadsCommand({ Bucket: 'backups', Prefix: prefix }),
      )
      return Uploads.length
    }

    async function duringFault<T>(proxy: FaultProxy, fault: Fault, run: () => Promise<T>): Promise<T> {
      const before = proxy.counts.hits
      proxy.arm(fault)
      try {
        return await run()
      } finally {
        proxy.arm()
        expect(proxy.counts.hits, 'the fault has struck').toBeGreaterThan(before)
      }
    }

    for (const size of ['small', 'parts'] as const) {
      const bytes = contents[size]
      for (const kind of ['reset', 'stall', 'end', 'flip'] as const) {
        for (const direction of ['up', 'down'] as const) {
          for (const afterBytes of direction === 'up' ? offsets[size] : [20, 150]) {
            it.concurrent(`upload of ${size}, ${kind} after ${afterBytes} bytes ${direction}: stored after a retry, or nothing of it`, async () => {
              await using proxy = await startProxy()
              const key = `up/${++count}`
              const storage = through(proxy)
              let error: unknown
              await duringFault(proxy, { kind, direction, afterBytes, ...once }, async () => {
                error = await retrying(storage)
                  .put(key, bodyOf(bytes))
                  .then(
                    () => undefined,
                    (reason: unknown) => reason,
                  )
              })
              await storage.close?.()
              if (error === undefined) {
                expect((await read(direct, key)).equals(bytes)).toBe(true)
              } else {
                // A flipped bit in the head of a request makes another request, which may be refused.
                expect(kind, String(error)).toBe('flip')
                expect(isBackupError(error)).toBe(true)
                await expect(direct.head(key)).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
              }
              // An upload whose id was lost with the answer is left to the bucket's lifecycle rule.
              expect(await uploads(key)).toBeLessThanOrEqual(direction === 'down' ? 1 : 0)
            })
          }
        }
      }
    }

    for (const size of ['small', 'parts'] as const) {
      const bytes = contents[size]
      const places = size === 'small' ? [100, 5000, 150_000] : [100, 2_000_000, 9_000_000]
      for (const kind of ['reset', 'stall', 'end', 'flip'] as const) {
        for (const afterBytes of places) {
          it.concurrent(`download of ${size}, ${kind} after ${afterBytes} bytes: read after a retry, or an error`, async () => {
            await using proxy = await startProxy()
            const key = `down/${size}`
            const storage = through(proxy)
            let got: Buffer | undefined
            let error: unknown
            await duringFault(proxy, { kind, direction: 'down', afterBytes, ...once }, async () => {
              try {
                got = await read(retrying(storage), key)
              } catch (reason) {
                error = reason
              }
            })
            await storage.close?.()
            // Without TLS nobody but the reader's own digests sees a wrong bit in a large object.
            const isForDigests = kind === 'flip' && !tls && size === 'parts'
            if (got !== undefined) {
              expect(got.length).toBe(bytes.length)
              if (!isForDigests) expect(got.equals(bytes)).toBe(true)
            } else {
              expect(kind, String(error)).toBe('flip')
              expect(isBackupError(error)).toBe(true)
            }
          })
        }
      }
    }

    it.concurrent('refused connections: fails for now, and works when they are accepted again', async () => {
      await using proxy = await startProxy()
      const key = `refused/${tls}`
      const storage = through(proxy)
      await proxy.refuse()
      for (const call of [
        () => storage.put(key, bodyOf(contents.parts)),
        () => storage.get(key),
        () => storage.list(),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      }
      await proxy.accept()
      await storage.put(key, bodyOf(contents.parts))
      expect((await read(storage, key)).equals(contents.parts)).toBe(true)
      await storage.close?.()
    })

    it.concurrent('a store that stays away: fails for now, and nothing of it is visible', async () => {
      await using proxy = await startProxy()
      for (const kind of ['reset', 'stall', 'end'] as const) {
        const key = `away/${kind}`
        const storage = through(proxy)
        await duringFault(proxy, { kind, direction: 'up', afterBytes: 3_000_000 }, () =>
          // To half a body RGW says AccessDenied as often as it is asked.
          expect(storage.put(key, bodyOf(contents.parts))).rejects.toMatchObject({
            code: kind === 'end' ? expect.stringMatching(/^(UNAVAILABLE|STORAGE_DENIED)$/) : 'UNAVAILABLE',
          }),
        )
        await storage.close?.()
        await expect(direct.head(key)).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
        expect(await uploads(key)).toBe(0)
      }
    })

    it.concurrent('one broken part costs only that part', async () => {
      await using proxy = await startProxy()
      const key = 'part/again'
      const storage = through(proxy)
      const before = proxy.counts.up
      await duringFault(proxy, { kind: 'reset', direction: 'up', afterBytes: 3_000_000, ...once }, () =>
        storage.put(key, bodyOf(contents.parts)),
      )
      await storage.close?.()
      expect(proxy.counts.up - before).toBeLessThan(contents.parts.length + pieceBytes + mib)
      expect((await read(direct, key)).equals(contents.parts)).toBe(true)
    })

    it.concurrent('a slow connection is no broken one', async () => {
      await using proxy = await startProxy()
      const key = 'slow/small'
      const storage = through(proxy)
      proxy.slow({ up: 500_000, down: 500_000 })
      try {
        await storage.put(key, bodyOf(contents.small))
        expect((await read(storage, key)).equals(contents.small)).toBe(true)
      } finally {
        proxy.slow({})
        await storage.close?.()
      }
    })

    it.concurrent('a conditional put whose answer is lost knows its own object, and nobody else’s', async () => {
      await using proxy = await startProxy()
      const storage = through(proxy)
      expect(await storage.fencing()).toBe('conditional-put')
      for (const [name, put] of [
        ['bare', storage],
        ['retrying', retrying(storage)],
      ] as const) {
        const key = `ambiguous/${name}`
        await lostAnswer(key, put)
        expect((await read(direct, key)).equals(contents.small)).toBe(true)
        // The same bytes once more are somebody else's attempt.
        await expect(put.put(key, bodyOf(contents.small), { ifAbsent: true })).rejects.toMatchObject({
          code: 'OBJECT_EXISTS',
        })
      }
      await storage.close?.()

      async function lostAnswer(key: string, put: Storage): Promise<void> {
        await duringFault(proxy, { kind: 'reset', direction: 'down', afterBytes: 0, ...once }, async () => {
          const first = put.put(key, bodyOf(contents.small), { ifAbsent: true })
          if (put === storage) {
            await expect(first).rejects.toMatchObject({ code: 'UNAVAILABLE' })
          } else {
            await first
          }
        })
        if (put === storage)
          expect((await put.put(key, bodyOf(contents.small), { ifAbsent: true })).sizeBytes).toBe(200_000)
      }
    })
  })
}

const retryOptions = { attempts: 6, baseDelayMs: 20 }
