import { hasRgw, storageSuite } from '@sqlite-backup/core/testing'
import { afterAll, beforeAll, describe } from 'vitest'
import { s3 } from './s3.ts'
import { type RgwBucket, startRgwBucket } from './testing/rgw-bucket.ts'

describe.skipIf(!hasRgw())('Ceph RGW, plain HTTP, the bucket in the path', () => {
  let rgw: RgwBucket

  beforeAll(async () => {
    rgw = await startRgwBucket()
  })
  afterAll(() => rgw?.stop())

  storageSuite({ name: 's3, path style', open: () => s3(rgw.options), secrets: () => [rgw.secretAccessKey] })
})
