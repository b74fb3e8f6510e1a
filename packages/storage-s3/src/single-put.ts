import { BackupError, type Body, type PutOptions, type PutResult } from '@sqlite-backup/core'
import type { Part } from './body-parts.ts'
import { fullKey, plainEtag, type S3Context, sha256Metadata, writeIdMetadata } from './s3-context.ts'
import { extrasOf, objectParameters } from './s3-options.ts'
import { sendPart } from './send-part.ts'

export interface Condition {
  /** Stored with the object, so that its writer knows it again. */
  readonly writeId: string
  /** Let the store refuse when there is an object already. */
  readonly isConditional: boolean
}

/** Stores a part as an object, in one request. */
export async function singlePut(
  context: S3Context,
  key: string,
  part: Part,
  { metadata, contentType, signal, onProgress }: PutOptions,
  condition?: Condition,
): Promise<PutResult> {
  const { settings } = context
  const extras = extrasOf(settings)
  const facts = { operation: 'put', key, signal, extras, onPrecondition: 'OBJECT_EXISTS' } as const
  const { ETag } = await context.connection.call(facts, ({ client, sdk, http }) =>
    sendPart(part, { storesSha256: settings.preset.storesSha256, onProgress }, (payload) =>
      client.send(
        new sdk.PutObjectCommand({
          Bucket: settings.bucket,
          Key: fullKey(context, key),
          ...payload,
          ...objectParameters(settings),
          ...(contentType !== undefined && { ContentType: contentType }),
          ...(condition?.isConditional && { IfNoneMatch: '*' }),
          Metadata: {
            ...metadata,
            [sha256Metadata]: Buffer.from(part.sha256).toString('hex'),
            ...(condition !== undefined && { [writeIdMetadata]: condition.writeId }),
          },
        }),
        http,
      ),
    ),
  )
  return { sizeBytes: part.sizeBytes, ...etagOf(ETag) }
}

/** @throws BackupError `BODY_TRUNCATED` or `BODY_TOO_LONG` */
export async function assertSize(body: Body, storedBytes: number): Promise<void> {
  const sizeBytes = await body.size
  if (storedBytes === sizeBytes) return
  throw new BackupError(
    storedBytes < sizeBytes ? 'BODY_TRUNCATED' : 'BODY_TOO_LONG',
    `The body gave ${storedBytes} bytes and promised ${sizeBytes}.`,
  )
}

export function etagOf(etag: string | undefined): { readonly etag?: string } {
  const plain = plainEtag(etag)
  return plain === undefined ? {} : { etag: plain }
}
