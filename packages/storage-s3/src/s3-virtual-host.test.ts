import { lookup } from 'node:dns'
import { hasRgw, storageSuite } from '@sqlite-backup/core/testing'
import { afterAll, beforeAll, describe } from 'vitest'
import { openS3 } from './s3.ts'
import { type RgwBucket, startRgwBucket } from './testing/rgw-bucket.ts'

describe.skipIf(!hasRgw())('Ceph RGW, TLS, the bucket in the host name, with the manners of AWS', () => {
  let rgw: RgwBucket

  beforeAll(async () => {
    rgw = await startRgwBucket({ tls: true, config: ['rgw_dns_name = s3.localhost'] })
  })
  afterAll(() => rgw?.stop())

  // The preset `aws` adds what only AWS keeps: a SHA-256 with every object and part.
  const open = () =>
    openS3(
      {
        ...rgw.options,
        preset: 'aws',
        region: rgw.region,
        endpoint: `https://s3.localhost:${rgw.tlsPort}`,
        caFile: rgw.caFile ?? '',
        prefix: 'some/folder',
      },
      { now: () => new Date(), lookup: (_host, options, callback) => lookup('127.0.0.1', options, callback) },
    )
  storageSuite({ name: 's3, virtual host style', open, secrets: () => [rgw.secretAccessKey] })
})
