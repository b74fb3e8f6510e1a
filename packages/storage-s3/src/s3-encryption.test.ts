import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { bytesBody, readObject } from '@sqlite-backup/core'
import { hasRgw } from '@sqlite-backup/core/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { s3 } from './s3.ts'
import type { S3Options } from './s3-options.ts'
import { type RgwBucket, startRgwBucket } from './testing/rgw-bucket.ts'

const bodies = { small: bytesBody(Buffer.from('small')), large: bytesBody(Buffer.alloc(12 * 1024 ** 2, 'large')) }

describe.skipIf(!hasRgw())('encryption at rest, on Ceph RGW', () => {
  let rgw: RgwBucket
  let warnings: string[]
  const open = (options: Partial<S3Options>) => {
    warnings = []
    return s3({ ...rgw.options, onWarning: (message) => warnings.push(message), ...options })
  }

  beforeAll(async () => {
    rgw = await startRgwBucket()
  })
  afterAll(() => rgw?.stop())

  for (const require of [false, true]) {
    it(`SSE-KMS is asked for, and what the store says is read back (require: ${require})`, async () => {
      const storage = open({ sse: { kmsKeyId: 'key-1', require } })
      for (const [name, body] of Object.entries(bodies)) {
        const key = `kms/${require}/${name}`
        expect(await storage.put(key, body)).toMatchObject({ encryption: 'aws:kms' })
        expect(await storage.head(key)).toMatchObject({ encryption: 'aws:kms', sizeBytes: await body.size })
        const seen = await rgw.client.send(new HeadObjectCommand({ Bucket: 'backups', Key: key }))
        expect(seen).toMatchObject({ ServerSideEncryption: 'aws:kms', SSEKMSKeyId: 'key-1' })
      }
      expect(await readObject(storage, `kms/${require}/small`)).toEqual(Buffer.from('small'))
      expect(warnings).toEqual([])
    })
  }

  it('a key the store does not have stores nothing', async () => {
    const storage = open({ sse: { kmsKeyId: 'no-such-key' } })
    for (const [name, body] of Object.entries(bodies)) {
      await expect(storage.put(`nokey/${name}`, body)).rejects.toMatchObject({ name: 'BackupError' })
      await expect(storage.head(`nokey/${name}`)).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
    }
  })

  // RGW takes the header for SSE-S3 and says nothing of it afterwards (16.2).
  it('SSE-S3 that the store does not confirm is no encryption, and there is one warning', async () => {
    const storage = open({ sse: 'AES256' })
    for (const [name, body] of Object.entries(bodies)) {
      const result = await storage.put(`sse/${name}`, body)
      expect(result.sizeBytes).toBe(await body.size)
      expect(result.encryption).toBeUndefined()
    }
    expect(warnings).toEqual([expect.stringMatching(/encryption was asked for, but the storage does not say/)])
  })

  it('SSE-S3 that is required and not confirmed is refused before anything is stored', async () => {
    const storage = open({ prefix: 'required', sse: { require: true } })
    for (const [name, body] of Object.entries(bodies)) {
      await expect(storage.put(name, body)).rejects.toMatchObject({ code: 'STORAGE_UNSUPPORTED' })
    }
    expect((await storage.list()).objects).toEqual([])
  })

  it('a storage class that is there by itself is no reason to warn', async () => {
    await open({ storageClass: 'STANDARD' }).put('class', bodies.small)
    expect(warnings).toEqual([])
  })
})
