import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3'
import { assertKey, type ObjectFacts } from '@sqlite-backup/core'
import type { S3Connection } from './s3-connection.ts'
import type { S3Settings } from './s3-options.ts'

/** What every operation works on. */
export interface S3Context {
  readonly name: string
  readonly settings: S3Settings
  readonly connection: S3Connection
}

/** The key as the bucket has it. @throws BackupError `KEY_INVALID` */
export function fullKey({ settings }: S3Context, key: string): string {
  assertKey(key)
  return settings.prefix + key
}

/** Metadata of our own, which callers do not see. */
export const sha256Metadata = 'sqlite-backup-sha256'
export const writeIdMetadata = 'sqlite-backup-write'

/** What the store says of an object, in the seam's words. */
export function objectFacts(
  output: Pick<HeadObjectCommandOutput, 'ETag' | 'LastModified' | 'Metadata' | 'ServerSideEncryption'>,
  sizeBytes: number,
): ObjectFacts {
  const { [sha256Metadata]: _sha256, [writeIdMetadata]: _writeId, ...metadata } = output.Metadata ?? {}
  const etag = plainEtag(output.ETag)
  return {
    sizeBytes,
    metadata,
    ...(etag !== undefined && { etag }),
    ...(output.LastModified !== undefined && { modified: output.LastModified }),
    ...(output.ServerSideEncryption !== undefined && { encryption: output.ServerSideEncryption }),
  }
}

/** Without quotes: some answers have them, some do not. It is opaque, never an MD5. */
export function plainEtag(etag: string | undefined): string | undefined {
  return etag?.replace(/^"(.*)"$/, '$1')
}
