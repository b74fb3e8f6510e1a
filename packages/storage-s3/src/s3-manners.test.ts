import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3'
import { type Body, bytesBody, readObject, type Storage, withRetry } from '@sqlite-backup/core'
import { hasRgw } from '@sqlite-backup/core/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { s3 } from './s3.ts'
import type { S3Options } from './s3-options.ts'
import { type AnswerProxy, type Fate, startAnswerProxy } from './testing/answer-proxy.ts'
import { type RgwBucket, startRgwBucket } from './testing/rgw-bucket.ts'

const small = bytesBody(Buffer.from('small'))
const large = bytesBody(Buffer.alloc(12 * 1024 ** 2, 'large'))

function xmlError(status: number, code: string, headers: Record<string, string> = {}): Fate {
  return {
    status,
    headers: { 'content-type': 'application/xml', ...headers },
    body: `<Error><Code>${code}</Code></Error>`,
  }
}

/** The fate of the first `count` requests that `matches`; all others pass. */
function first(
  count: number,
  matches: (request: IncomingMessage) => boolean,
  fate: Fate,
): (request: IncomingMessage) => Fate {
  let left = count
  return (request) => (matches(request) && left-- > 0 ? fate : 'pass')
}

const always = Number.POSITIVE_INFINITY
const isConditional = ({ headers }: IncomingMessage) => headers['if-none-match'] !== undefined
const isBatchDelete = ({ method, url = '' }: IncomingMessage) => method === 'POST' && url.includes('?delete')
const isComplete = ({ method, url = '' }: IncomingMessage) => method === 'POST' && url.includes('uploadId=')
const isPart = ({ url = '' }: IncomingMessage) => url.includes('partNumber=')

describe.skipIf(!hasRgw())('a store with manners of its own', () => {
  let rgw: RgwBucket
  let proxy: AnswerProxy
  let storage: Storage
  let folder = 0
  const open = (options: Partial<S3Options> = {}) =>
    s3({ ...rgw.options, endpoint: proxy.endpoint, prefix: `p${folder}`, ...options })

  beforeAll(async () => {
    rgw = await startRgwBucket()
    proxy = await startAnswerProxy(rgw.port)
  })
  afterAll(async () => {
    await proxy?.stop()
    await rgw?.stop()
  })
  beforeEach(() => {
    folder++
    storage = open()
  })
  afterEach(async () => {
    proxy.decide(() => 'pass')
    await storage.close?.()
  })

  describe('conditional puts', () => {
    const manners: Record<string, Fate> = {
      'does not implement them (501)': xmlError(501, 'NotImplemented'),
      'calls them invalid (400)': xmlError(400, 'InvalidRequest'),
      'ignores them (200 each time)': { status: 200, headers: { etag: '"ignored"' } },
      'refuses them all (412)': xmlError(412, 'PreconditionFailed'),
    }
    for (const [what, fate] of Object.entries(manners)) {
      it(`fencing is none when the store ${what}, and ifAbsent looks first`, async () => {
        proxy.decide(first(always, isConditional, fate))
        expect(await storage.fencing()).toBe('none')
        await storage.put('a', small, { ifAbsent: true })
        await expect(storage.put('a', small, { ifAbsent: true })).rejects.toMatchObject({ code: 'OBJECT_EXISTS' })
        expect((await storage.list()).objects.map(({ key }) => key)).toEqual(['a'])
      })
    }

    it('are probed once, and what could not be found out is not remembered', async () => {
      proxy.decide(first(1, isConditional, xmlError(503, 'SlowDown')))
      await expect(storage.fencing()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      expect(await storage.fencing()).toBe('conditional-put')
      const before = proxy.requests.length
      expect(await storage.fencing()).toBe('conditional-put')
      expect(proxy.requests.length).toBe(before)
    })

    it('a 409 of two writers at the same time is tried again', async () => {
      await storage.fencing()
      proxy.decide(first(1, isConditional, xmlError(409, 'ConditionalRequestConflict')))
      await withRetry(storage, { baseDelayMs: 1 }).put('a', small, { ifAbsent: true })
      expect((await readObject(storage, 'a')).toString()).toBe('small')
    })
  })

  describe('batch deletes', () => {
    for (const fate of [
      xmlError(501, 'NotImplemented'),
      xmlError(400, 'MalformedXML'),
      xmlError(405, 'MethodNotAllowed'),
    ]) {
      it(`are replaced by single ones after ${JSON.stringify(fate)}`, async () => {
        const keys = ['a', 'b', 'c/d']
        for (const key of keys) await storage.put(key, small)
        proxy.decide(first(always, isBatchDelete, fate))
        await storage.delete([...keys, 'nothing'])
        expect((await storage.list()).objects).toEqual([])
        const before = proxy.requests.length
        await storage.delete(keys)
        expect(proxy.requests.slice(before).filter((line) => line.startsWith('POST'))).toEqual([])
      })
    }

    it('that fail for one key fail, with what it failed for', async () => {
      const body = '<DeleteResult><Error><Key>a</Key><Code>NAME</Code></Error></DeleteResult>'
      for (const [name, code] of [
        ['AccessDenied', 'STORAGE_DENIED'],
        ['InternalError', 'UNAVAILABLE'],
      ] as const) {
        proxy.decide(first(always, isBatchDelete, { status: 200, body: body.replace('NAME', name) }))
        await expect(storage.delete(['a', 'b'])).rejects.toMatchObject({ code })
      }
      proxy.decide(first(always, isBatchDelete, { status: 200, body: body.replace('NAME', 'NoSuchKey') }))
      await storage.delete(['a', 'b'])
    })
  })

  describe('multipart uploads', () => {
    it('whose completion was not answered are found to be complete', async () => {
      proxy.decide(first(1, isComplete, 'lose-answer'))
      expect((await storage.put('a', large, { metadata: { note: 'x' } })).sizeBytes).toBe(12 * 1024 ** 2)
      expect(await storage.head('a')).toMatchObject({ sizeBytes: 12 * 1024 ** 2, metadata: { note: 'x' } })
    })

    it('whose completion did not arrive are completed again', async () => {
      proxy.decide(first(2, isComplete, xmlError(500, 'InternalError')))
      await storage.put('a', large)
      expect((await storage.head('a')).sizeBytes).toBe(12 * 1024 ** 2)
    })

    it('are not taken for complete because an older object is there', async () => {
      await storage.put('a', large, { metadata: { version: 'old' } })
      proxy.decide(first(always, isComplete, xmlError(500, 'InternalError')))
      await expect(open({ partAttempts: 2 }).put('a', large)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      expect((await storage.head('a')).metadata).toEqual({ version: 'old' })
    })

    it('that the store has forgotten begin anew with the next try', async () => {
      proxy.decide(first(4, isPart, xmlError(404, 'NoSuchUpload')))
      await withRetry(open({ partAttempts: 1 }), { baseDelayMs: 1 }).put('a', large)
      expect((await storage.head('a')).sizeBytes).toBe(12 * 1024 ** 2)
    })

    it('that are aborted leave no parts, though the storage is closed at once', async () => {
      const abort = new AbortController()
      const closed = once(abort.signal, 'abort').then(() => storage.close?.())
      const onProgress = (sentBytes: number) => sentBytes > 6 * 1024 ** 2 && abort.abort()
      await expect(storage.put('a', large, { signal: abort.signal, onProgress })).rejects.toMatchObject({
        code: 'ABORTED',
      })
      await closed
      const { Uploads = [] } = await rgw.client.send(new ListMultipartUploadsCommand({ Bucket: 'backups' }))
      expect(Uploads.filter(({ Key }) => Key?.startsWith(`p${folder}/`))).toEqual([])
    })

    it('wait as long as a busy store asks, part by part', async () => {
      proxy.decide(first(2, isPart, xmlError(503, 'SlowDown', { 'retry-after': '0' })))
      await storage.put('a', large)
      expect((await storage.head('a')).sizeBytes).toBe(12 * 1024 ** 2)
    })
  })

  it('a busy store says when to come again', async () => {
    for (const status of [503, 429]) {
      proxy.decide(() => xmlError(status, 'SlowDown', { 'retry-after': '7' }))
      await expect(storage.list()).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: 7000 })
    }
  })

  it('a refusal that is not repeated was a misunderstanding', async () => {
    await storage.put('a', small)
    proxy.decide(first(1, () => true, xmlError(403, 'SignatureDoesNotMatch')))
    expect((await storage.head('a')).sizeBytes).toBe(5)
  })

  it('an expired token makes the credentials be asked for again', async () => {
    let asked = 0
    const counting = open({
      credentials: () => {
        asked++
        return { accessKeyId: rgw.accessKeyId, secretAccessKey: rgw.secretAccessKey }
      },
    })
    await counting.list()
    expect(asked).toBe(1)
    proxy.decide(first(1, () => true, xmlError(400, 'ExpiredToken')))
    await counting.list()
    expect(asked).toBe(2)
    proxy.decide(() => xmlError(400, 'ExpiredToken'))
    await expect(counting.list()).rejects.toMatchObject({
      code: 'STORAGE_DENIED',
      hint: expect.stringMatching(/ended/),
    })
    await counting.close?.()
  })

  it('asking for credentials anew leaves no connection behind', async () => {
    const before = proxy.connections()
    await storage.list()
    for (let i = 0; i < 5; i++) {
      proxy.decide(first(1, () => true, xmlError(400, 'ExpiredToken')))
      await storage.list()
    }
    expect(proxy.connections().made).toBe(before.made + 1)
    await storage.close?.()
    await vi.waitFor(() => expect(proxy.connections().open).toBe(before.open), { timeout: 20_000 })
  })

  it('a store that ignores ranges is not believed', async () => {
    await storage.put('a', small)
    proxy.decide(() => ({ status: 200, headers: { etag: '"x"', 'content-length': '5' }, body: 'small' }))
    await expect(storage.get('a', { range: { start: 2 } })).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' })
  })

  it.each([
    ['small', '0-4/5', { start: 0, end: 1 }],
    ['small', '0-4/5', { start: 2 }],
    ['mal', '1-3/5', { start: 1 }],
    ['sma', '0-2/*', { start: 0, end: 2 }],
  ])('a store that sends %s (%s) is not believed when asked for %o', async (body, range, wanted) => {
    const headers = { etag: '"x"', 'content-length': `${body.length}`, 'content-range': `bytes ${range}` }
    proxy.decide(() => ({ status: 206, headers, body }))
    await expect(storage.get('a', { range: wanted })).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' })
  })

  it('bytes that do not have the digest that came with them are refused by the store', async () => {
    for (const sizeBytes of [100, 11 * 1024 ** 2]) {
      const body: Body = {
        ...bytesBody(Buffer.alloc(sizeBytes, 'x')),
        pieces: { sizeBytes: 5 * 1024 ** 2, sha256: async () => Buffer.alloc(32, 'digest of something else') },
      }
      const error = await open({ partAttempts: 1 })
        .put('a', body)
        .catch((reason: unknown) => reason)
      expect(error).toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('XAmzContentSHA256Mismatch'),
      })
      await expect(storage.head('a')).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
    }
  })

  it('an object that is not what was stored is not given out', async () => {
    const { etag = '' } = await storage.put('a', small)
    let times = 0
    proxy.decide((request) => {
      if (request.method !== 'GET' || times++ > 0) return 'pass'
      const sha256 = 'd1a0a4c0a04c5d6b3b5d1c5e6cf0f7e3f0f3c1e0a0b1c2d3e4f5a6b7c8d9eaf0'
      const headers = { etag: `"${etag}"`, 'content-length': '5', 'x-amz-meta-sqlite-backup-sha256': sha256 }
      return { status: 200, headers, body: 'smell' }
    })
    await expect(readObject(storage, 'a')).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    times = 0
    expect((await readObject(withRetry(storage, { baseDelayMs: 1 }), 'a')).toString()).toBe('small')
  })

  it('keys that are not url-encoded in a list are taken as they are', async () => {
    const body =
      '<ListBucketResult><Contents><Key>p/a+b%20c</Key><Size>1</Size></Contents><IsTruncated>false</IsTruncated></ListBucketResult>'
    proxy.decide(() => ({ status: 200, headers: { 'content-type': 'application/xml' }, body }))
    expect((await open({ prefix: 'p' }).list()).objects).toEqual([{ key: 'a+b%20c', sizeBytes: 1 }])
  })

  describe('a clock that is an hour off', () => {
    afterEach(() => void vi.useRealTimers())

    it('is corrected by what the store says', async () => {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
      await withRetry(storage, { baseDelayMs: 1 }).put('a', small)
      expect((await storage.head('a')).sizeBytes).toBe(5)
    })

    it('is named when it cannot be', async () => {
      proxy.decide(() => xmlError(403, 'RequestTimeTooSkewed'))
      await expect(storage.list()).rejects.toMatchObject({ code: 'UNAVAILABLE', hint: expect.stringMatching(/clock/) })
    })
  })
})

describe('preparing', () => {
  it('loads the SDK without asking the store or for credentials', async () => {
    const credentials = vi.fn(async () => ({ accessKeyId: 'id', secretAccessKey: 'key' }))
    const storage = s3({ bucket: 'acme', endpoint: 'https://127.0.0.1:1', region: 'x', credentials })
    await storage.prepare?.()
    expect(credentials).not.toHaveBeenCalled()
    await storage.close?.()
  })
})
