import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { BackupError, type CallOptions, isBackupError, type ObjectFacts } from '@sqlite-backup/core'
import { fullKey, objectFacts, type S3Context } from './s3-context.ts'

/** @throws BackupError `OBJECT_MISSING`, or `STORAGE_MISSING` when it is the bucket that is missing. */
export async function headObject(context: S3Context, key: string, options: CallOptions = {}): Promise<ObjectFacts> {
  const output = await rawHead(context, key, 'head', options)
  return objectFacts(output, output.ContentLength ?? 0)
}

/** Everything the store says, for those who compare more than the seam shows. */
export async function rawHead(
  context: S3Context,
  key: string,
  operation: string,
  { signal }: CallOptions,
): Promise<HeadObjectCommandOutput> {
  const Bucket = context.settings.bucket
  const Key = fullKey(context, key)
  try {
    return await context.connection.call({ operation, key, signal }, ({ client, sdk, http }) =>
      client.send(new sdk.HeadObjectCommand({ Bucket, Key }), http),
    )
  } catch (error) {
    if (isBackupError(error, 'OBJECT_MISSING')) await assertBucket(context, operation, signal)
    throw error
  }
}

/** An answer to HEAD has no body that would tell a missing object from a missing bucket. */
async function assertBucket(context: S3Context, operation: string, signal: AbortSignal | undefined): Promise<void> {
  try {
    await context.connection.call({ operation: `${operation} (bucket)`, signal }, ({ client, sdk, http }) =>
      client.send(new sdk.HeadBucketCommand({ Bucket: context.settings.bucket }), http),
    )
  } catch (error) {
    // Not being allowed to ask about the bucket says that there is one.
    if (!isBackupError(error, 'STORAGE_DENIED') && error instanceof BackupError) throw error
  }
}
