import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { type Rgw, type RgwOptions, startRgw } from '@sqlite-backup/core/testing'
import type { S3Options } from '../s3-options.ts'

export interface RgwBucket extends Rgw {
  /** Options of `s3` for the bucket that is there. */
  readonly options: S3Options
  /** The SDK as a second, independent client. */
  readonly client: S3Client
}

/** A throw-away S3 server with one empty bucket. */
export async function startRgwBucket(rgwOptions: RgwOptions = {}): Promise<RgwBucket> {
  const rgw = await startRgw(rgwOptions)
  const { accessKeyId, secretAccessKey, endpoint, region } = rgw
  const credentials = { accessKeyId, secretAccessKey }
  const client = new S3Client({ endpoint, region, forcePathStyle: true, credentials })
  await client.send(new CreateBucketCommand({ Bucket: 'backups' }))
  return { ...rgw, client, options: { bucket: 'backups', endpoint, credentials: () => credentials } }
}
