export interface FoundStorage {
  readonly name: string
  /** `./backups` or `s3://bucket/prefix`. */
  readonly url: string
  /** The variable it was found in. */
  readonly from: string
}

// The names that Railway, Fly (Tigris), Cloudflare's docs and the usual deployments give a bucket.
const bucketVariables = [
  'BUCKET_NAME',
  'AWS_S3_BUCKET_NAME',
  'AWS_S3_BUCKET',
  'R2_BUCKET_NAME',
  'R2_BUCKET',
  'S3_BUCKET',
  'BUCKET',
]
const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/

/** The bucket that the environment speaks of. */
export function findStorages(env: NodeJS.ProcessEnv): readonly FoundStorage[] {
  for (const from of bucketVariables) {
    const bucket = env[from]
    if (bucket !== undefined && bucketName.test(bucket)) return [{ name: 'offsite', url: `s3://${bucket}`, from }]
  }
  return []
}
