import type { _Error } from '@aws-sdk/client-s3'
import { BackupError, type CallOptions, isBackupError, throwIfAborted } from '@sqlite-backup/core'
import { fullKey, type S3Context } from './s3-context.ts'

/** The most one DeleteObjects takes: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
const batchKeys = 1000
const singlesAtOnce = 8

/** Deletes in batches, or one by one where the store has no batches. */
export function createDeleteObjects(
  context: S3Context,
): (keys: readonly string[], options?: CallOptions) => Promise<void> {
  let hasBatches = true

  return async (keys, { signal } = {}) => {
    const all = keys.map((key) => fullKey(context, key))
    throwIfAborted(signal)
    for (let at = 0; at < all.length; at += batchKeys) {
      const batch = all.slice(at, at + batchKeys)
      if (hasBatches && batch.length > 1) {
        try {
          await deleteBatch(context, batch, signal)
          continue
        } catch (error) {
          if (!meansNoBatches(error)) throw error
          hasBatches = false
        }
      }
      await deleteSingly(context, batch, signal)
    }
  }
}

async function deleteBatch(
  context: S3Context,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  await context.connection.call({ operation: 'delete', signal }, async ({ client, sdk, http }) => {
    const command = new sdk.DeleteObjectsCommand({
      Bucket: context.settings.bucket,
      Delete: { Quiet: true, Objects: keys.map((Key) => ({ Key })) },
    })
    const { Errors = [] } = await client.send(command, http)
    const failure = Errors.find(({ Code }) => Code !== 'NoSuchKey')
    if (failure !== undefined) throw asServiceError(failure)
  })
}

/** An error of one key in a batch, shaped like the error a single delete would have thrown. */
function asServiceError({ Code, Message, Key }: _Error): Error {
  return Object.assign(new Error(`${Key}: ${Message ?? Code}`), { name: Code ?? 'InternalError' })
}

async function deleteSingly(
  context: S3Context,
  keys: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const queue = keys.values()
  await Promise.all(
    Array.from({ length: Math.min(singlesAtOnce, keys.length) }, async () => {
      for (const Key of queue) {
        try {
          await context.connection.call({ operation: 'delete', signal }, ({ client, sdk, http }) =>
            client.send(new sdk.DeleteObjectCommand({ Bucket: context.settings.bucket, Key }), http),
          )
        } catch (error) {
          if (!isBackupError(error, 'OBJECT_MISSING')) throw error
        }
      }
    }),
  )
}

function meansNoBatches(error: unknown): boolean {
  if (isBackupError(error, 'STORAGE_UNSUPPORTED')) return true
  const name = error instanceof BackupError && error.cause instanceof Error ? error.cause.name : ''
  return ['MalformedXML', 'InvalidRequest', 'InvalidArgument', 'MethodNotAllowed'].includes(name)
}
