import { inspect } from 'node:util'
import { PutBucketPolicyCommand } from '@aws-sdk/client-s3'
import { type BackupError, bytesBody, type Storage } from '@sqlite-backup/core'
import { hasRgw } from '@sqlite-backup/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openS3, s3 } from './s3.ts'
import type { S3Options } from './s3-options.ts'
import { type RgwBucket, startRgwBucket } from './testing/rgw-bucket.ts'

const small = bytesBody(Buffer.from('small'))
const large = bytesBody(Buffer.alloc(12 * 1024 ** 2, 'large'))
const secret = 'a-secret-nobody-may-see'
const keyId = 'A-KEY-NOBODY-MAY-SEE'

/** The error, having checked that nothing of it shows a key. */
async function refusal(promise: Promise<unknown>): Promise<BackupError> {
  const error = await promise.then(
    () => expect.fail('it was not refused'),
    (reason: BackupError) => reason,
  )
  expect(`${inspect(error, { depth: 9, showHidden: true })} ${JSON.stringify(error)}`).not.toMatch(
    /a-secret-nobody|A-KEY-NOBODY/,
  )
  return error
}

async function everyVerb(storage: Storage): Promise<Record<string, BackupError>> {
  return {
    put: await refusal(storage.put('app/x', small)),
    'put in parts': await refusal(storage.put('app/x', large)),
    'put if absent': await refusal(storage.put('app/x', small, { ifAbsent: true })),
    get: await refusal(storage.get('app/x')),
    head: await refusal(storage.head('app/x')),
    list: await refusal(storage.list()),
    delete: await refusal(storage.delete(['app/x'])),
    'delete many': await refusal(storage.delete(['app/x', 'app/y'])),
    fencing: await refusal(storage.fencing()),
  }
}

for (const [how, config] of [
  ['without STS', []],
  ['with STS', ['rgw_s3_auth_use_sts = true', 'rgw_sts_key = abcdefghijklmnop']],
] as const) {
  describe.skipIf(!hasRgw())(`Ceph RGW ${how} refuses`, () => {
    let rgw: RgwBucket
    const open = (options: Partial<S3Options>) => s3({ ...rgw.options, ...options })

    beforeAll(async () => {
      rgw = await startRgwBucket({ config })
      await rgw.admin(
        'user',
        'create',
        '--uid',
        'other',
        '--display-name',
        'o',
        '--access-key',
        keyId,
        '--secret',
        secret,
      )
    })
    afterAll(() => rgw?.stop())

    it('a wrong secret, a wrong key and foreign credentials: every verb says which storage, what and since when', async () => {
      const wrong = [
        { accessKeyId: rgw.accessKeyId, secretAccessKey: secret },
        { accessKeyId: `${keyId}2`, secretAccessKey: secret },
        { accessKeyId: keyId, secretAccessKey: secret },
      ]
      for (const credentials of wrong) {
        let now = 0
        const clock = () => new Date(Date.UTC(2026, 10, 21, 3, 17, now++))
        const storage = openS3({ ...rgw.options, prefix: 'prod', credentials: () => credentials }, { now: clock })
        const errors = await everyVerb(storage)
        for (const [verb, error] of Object.entries(errors)) {
          expect(error.code, verb).toBe('STORAGE_DENIED')
          expect(error.message).toContain('s3 backups/prod: ')
          expect(error.message).toMatch(/is refused \(.+\), since 2026-11-21T03:17:0\d\.000Z\.$/)
          expect(error.message).toContain(verb.split(' ')[0] === 'fencing' ? 'put' : verb.split(' ')[0])
          expect(error.hint).toMatch(/credentials/)
        }
        // The moment is that of the first refusal, however often it is asked.
        expect(errors.put?.message).toContain('03:17:00')
        expect(errors['put in parts']?.message).toContain('03:17:00')
        expect(errors.get?.message).not.toContain('03:17:00')
      }
    })

    it('a bucket that is not there', async () => {
      for (const [verb, error] of Object.entries(await everyVerb(open({ bucket: 'nowhere' })))) {
        expect(error.code, verb).toBe('STORAGE_MISSING')
        expect(error.hint).toMatch(/Create the bucket/)
      }
    })

    it('a user who was suspended, until he no longer is', async () => {
      const storage = open({})
      await storage.put('before', small)
      await rgw.admin('user', 'suspend', '--uid', 'test')
      try {
        for (const [verb, error] of Object.entries(await everyVerb(storage))) {
          expect(error.code, verb).toBe('STORAGE_DENIED')
        }
      } finally {
        await rgw.admin('user', 'enable', '--uid', 'test')
      }
      await storage.put('after', small)
      expect((await storage.list()).objects.map(({ key }) => key)).toEqual(['after', 'before'])
    })
  })
}

describe.skipIf(!hasRgw())('Ceph RGW', () => {
  let rgw: RgwBucket

  beforeAll(async () => {
    rgw = await startRgwBucket()
    await rgw.admin('user', 'create', '--uid', 'writer', '--display-name', 'w', '--access-key', 'w', '--secret', secret)
  })
  afterAll(() => rgw?.stop())

  it('lets credentials without the right to delete do all the rest', async () => {
    const user = { AWS: ['arn:aws:iam:::user/writer'] }
    const Resource = ['arn:aws:s3:::backups', 'arn:aws:s3:::backups/*']
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Principal: user, Action: ['s3:*'], Resource },
        { Effect: 'Deny', Principal: user, Action: ['s3:DeleteObject', 's3:DeleteObjectVersion'], Resource },
      ],
    })
    await rgw.client.send(new PutBucketPolicyCommand({ Bucket: 'backups', Policy }))
    const warnings: string[] = []
    const storage = s3({
      ...rgw.options,
      credentials: () => ({ accessKeyId: 'w', secretAccessKey: secret }),
      onWarning: (message) => warnings.push(message),
    })
    await storage.put('app/small', small, { ifAbsent: true })
    await storage.put('app/large', large)
    expect((await storage.list({ prefix: 'app/' })).objects.map(({ key }) => key)).toEqual(['app/large', 'app/small'])
    expect((await storage.head('app/large')).sizeBytes).toBe(12 * 1024 ** 2)
    expect((await refusal(storage.put('app/small', small, { ifAbsent: true }))).code).toBe('OBJECT_EXISTS')
    for (const keys of [['app/small'], ['app/small', 'app/large']]) {
      expect((await refusal(storage.delete(keys))).code).toBe('STORAGE_DENIED')
    }
    expect((await storage.list({ prefix: 'app/' })).objects).toHaveLength(2)
    expect(warnings).toEqual([
      expect.stringMatching(/may not delete, so the probe object \.sqlite-backup-probe-.* stays/),
    ])
  })

  it('says that a quota is used up, small or in the middle of parts, and keeps nothing of it', async () => {
    const quota = ['--uid', 'test', '--quota-scope', 'user', '--max-size', String(3 * 1024 ** 2)]
    await rgw.admin('quota', 'set', ...quota)
    await rgw.admin('quota', 'enable', '--uid', 'test', '--quota-scope', 'user')
    try {
      const storage = s3(rgw.options)
      for (const body of [large, bytesBody(Buffer.alloc(4 * 1024 ** 2))]) {
        const key = `quota/${await body.size}`
        expect((await refusal(storage.put(key, body))).code).toBe('STORAGE_FULL')
        expect((await refusal(storage.head(key))).code).toBe('OBJECT_MISSING')
      }
    } finally {
      await rgw.admin('quota', 'disable', '--uid', 'test', '--quota-scope', 'user')
    }
  })

  it('refuses a storage class it does not have', async () => {
    const storage = s3({ ...rgw.options, storageClass: 'STANDARD_IA' })
    for (const body of [small, large]) {
      const error = await refusal(storage.put('cold', body))
      expect(error.code).toBe('STORAGE_FAILED')
      expect(error.hint).toContain('storageClass')
    }
  })

  it('hangs: a put and a head give up in time, and all is well again afterwards', async () => {
    const storage = s3({ ...rgw.options, timeouts: { request: '500ms', idle: '500ms' } })
    rgw.hang()
    try {
      for (const error of await Promise.all([refusal(storage.put('hung', small)), refusal(storage.head('hung'))])) {
        expect(error.code).toBe('UNAVAILABLE')
        expect(error.cause).toMatchObject({ message: expect.stringMatching(/no answer within 500 ms/) })
      }
    } finally {
      rgw.unhang()
    }
    await storage.put('well', small)
    expect((await storage.head('well')).sizeBytes).toBe(5)
  })

  it('cannot be reached: refused connections and unknown hosts are worth another try', async () => {
    for (const endpoint of ['http://127.0.0.1:1', 'http://no-such-host.invalid']) {
      const error = await refusal(s3({ ...rgw.options, endpoint }).list())
      expect(error.code).toBe('UNAVAILABLE')
    }
  })
})
