import { randomUUID } from 'node:crypto'
import type { CompletedPart } from '@aws-sdk/client-s3'
import {
  BackupError,
  type Body,
  isBackupError,
  messageOf,
  orAborted,
  type PutOptions,
  type PutResult,
} from '@sqlite-backup/core'
import type { Part } from './body-parts.ts'
import { rawHead } from './head-object.ts'
import { retryPart } from './retry-part.ts'
import { fullKey, type S3Context, writeIdMetadata } from './s3-context.ts'
import { extrasOf, objectParameters } from './s3-options.ts'
import { sendPart } from './send-part.ts'
import { assertSize, etagOf } from './single-put.ts'

/** How long the clean-up after a failure may take. */
const abortTimeoutMs = 10_000

/** Sends parts as they become available, a few at a time, each tried several times; then makes them one object. */
export async function multipartUpload(
  context: S3Context,
  key: string,
  first: Part,
  others: AsyncIterator<Part, void>,
  body: Body,
  options: PutOptions,
): Promise<PutResult> {
  const upload = await createUpload(context, key, options)
  let hasFailed = false
  const send = async () => {
    try {
      const parts = await sendParts(upload, first, others)
      const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0)
      await assertSize(body, sizeBytes)
      await complete(upload, parts, sizeBytes)
      return await assertStored(upload, sizeBytes)
    } catch (error) {
      hasFailed = true
      await abort(upload)
      // RGW's answer to half a request may be 404. Nobody looked for the object: it was to be made.
      if (!isBackupError(error, 'OBJECT_MISSING')) throw error
      throw new BackupError('UNAVAILABLE', `${context.name}: put of ${key} failed for now.`, { cause: error })
    }
  }
  return context.connection.during(send(), () => hasFailed || options.signal?.aborted === true)
}

interface Upload {
  readonly context: S3Context
  readonly key: string
  readonly options: PutOptions
  readonly uploadId: string
  /** Tells our object from one that somebody else put there. */
  readonly writeId: string
}

interface SentPart extends CompletedPart {
  readonly PartNumber: number
  readonly sizeBytes: number
}

async function createUpload(context: S3Context, key: string, options: PutOptions): Promise<Upload> {
  const { settings } = context
  const { metadata, contentType, signal } = options
  const writeId = randomUUID()
  const facts = { operation: 'put', key, signal, extras: extrasOf(settings) }
  const { UploadId } = await retryPart(settings.partAttempts, signal, () =>
    context.connection.call(facts, ({ client, sdk, http }) =>
      client.send(
        new sdk.CreateMultipartUploadCommand({
          Bucket: settings.bucket,
          Key: fullKey(context, key),
          ...objectParameters(settings),
          ...(settings.preset.storesSha256 && { ChecksumAlgorithm: 'SHA256' }),
          ...(contentType !== undefined && { ContentType: contentType }),
          Metadata: { ...metadata, [writeIdMetadata]: writeId },
        }),
        http,
      ),
    ),
  )
  if (UploadId === undefined) throw new BackupError('UNAVAILABLE', `${context.name}: put of ${key} got no upload id.`)
  return { context, key, options, uploadId: UploadId, writeId }
}

async function sendParts(upload: Upload, first: Part, others: AsyncIterator<Part, void>): Promise<readonly SentPart[]> {
  const { context, options } = upload
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, options.signal])
  const progress = sumProgress(options.onProgress)
  const failed = Promise.withResolvers<never>()
  // Raced with below, but not at every moment.
  failed.promise.catch(() => {})
  const inFlight = new Set<Promise<void>>()
  const sent: SentPart[] = []
  try {
    let part: Part | undefined = first
    while (part !== undefined) {
      const sending: Promise<void> = sendOne(upload, part, signal, progress(part.index))
        .then((done) => void sent.push(done), failed.reject)
        .finally(() => inFlight.delete(sending))
      inFlight.add(sending)
      if (inFlight.size >= context.settings.concurrency) await Promise.race([...inFlight, failed.promise])
      const next = await orAborted(Promise.race([others.next(), failed.promise]), options.signal)
      part = next.done ? undefined : next.value
    }
    await Promise.race([Promise.all(inFlight), failed.promise])
  } catch (error) {
    stop.abort(error)
    await Promise.all(inFlight)
    throw error
  }
  return sent.sort((a, b) => a.PartNumber - b.PartNumber)
}

async function sendOne(
  { context, key, uploadId }: Upload,
  part: Part,
  signal: AbortSignal,
  onProgress: (sentBytes: number) => void,
): Promise<SentPart> {
  const { settings } = context
  const PartNumber = part.index + 1
  const { storesSha256 } = settings.preset
  const { ETag } = await retryPart(settings.partAttempts, signal, () =>
    context.connection.call({ operation: 'put', key, signal }, ({ client, sdk, http }) =>
      sendPart(part, { storesSha256, onProgress }, (payload) =>
        client.send(
          new sdk.UploadPartCommand({
            Bucket: settings.bucket,
            Key: fullKey(context, key),
            UploadId: uploadId,
            PartNumber,
            ...payload,
          }),
          http,
        ),
      ),
    ),
  )
  return {
    PartNumber,
    sizeBytes: part.sizeBytes,
    ...(ETag !== undefined && { ETag }),
    ...(storesSha256 && { ChecksumSHA256: Buffer.from(part.sha256).toString('base64') }),
  }
}

async function complete(upload: Upload, sent: readonly SentPart[], sizeBytes: number): Promise<void> {
  const { context, key, options, uploadId } = upload
  const { settings, connection } = context
  const Parts = sent.map(({ sizeBytes: _, ...part }) => part)
  await retryPart(settings.partAttempts, options.signal, async () => {
    try {
      await connection.call({ operation: 'put', key, signal: options.signal }, ({ client, sdk, http }) =>
        client.send(
          new sdk.CompleteMultipartUploadCommand({
            Bucket: settings.bucket,
            Key: fullKey(context, key),
            UploadId: uploadId,
            MultipartUpload: { Parts },
          }),
          http,
        ),
      )
    } catch (error) {
      // The answer may be all that was lost; a second try then finds no upload.
      if (isBackupError(error, 'UNAVAILABLE') && (await isOurs(upload, sizeBytes))) return
      throw error
    }
  })
}

async function isOurs({ context, key, options, writeId }: Upload, sizeBytes: number): Promise<boolean> {
  try {
    const { Metadata, ContentLength } = await rawHead(context, key, 'put', options)
    return Metadata?.[writeIdMetadata] === writeId && ContentLength === sizeBytes
  } catch (error) {
    if (isBackupError(error, 'OBJECT_MISSING') || isBackupError(error, 'UNAVAILABLE')) return false
    throw error
  }
}

/** What the store now has must be as long as what was sent. */
async function assertStored({ context, key, options, writeId }: Upload, sizeBytes: number): Promise<PutResult> {
  const { settings } = context
  const head = await retryPart(settings.partAttempts, options.signal, () => rawHead(context, key, 'put', options))
  if (head.ContentLength !== sizeBytes && head.Metadata?.[writeIdMetadata] === writeId) {
    await context.connection.call({ operation: 'put', key }, ({ client, sdk }) =>
      client.send(new sdk.DeleteObjectCommand({ Bucket: settings.bucket, Key: fullKey(context, key) })),
    )
    throw new BackupError(
      'UNAVAILABLE',
      `${context.name}: put of ${key} left ${head.ContentLength} bytes of ${sizeBytes}, which were deleted again.`,
    )
  }
  return { sizeBytes, ...etagOf(head.ETag) }
}

/** Frees what was sent. What is left when even this fails, the bucket's lifecycle rule for unfinished uploads removes. */
async function abort({ context, key, uploadId }: Upload): Promise<void> {
  const signal = AbortSignal.timeout(abortTimeoutMs)
  const { settings, connection } = context
  try {
    await retryPart(settings.partAttempts, signal, async () => {
      try {
        await connection.call({ operation: 'put', key, signal }, ({ client, sdk, http }) =>
          client.send(
            new sdk.AbortMultipartUploadCommand({
              Bucket: settings.bucket,
              Key: fullKey(context, key),
              UploadId: uploadId,
            }),
            http,
          ),
        )
      } catch (error) {
        // It was completed after all, or an earlier try has removed it.
        if (!isNoSuchUpload(error)) throw error
      }
    })
  } catch (error) {
    // Thrown is why the upload failed.
    settings.onWarning(
      `${context.name}: parts of an unfinished upload of ${key} could not be removed (${messageOf(error)}). A lifecycle rule of the bucket for incomplete multipart uploads removes them.`,
    )
  }
}

function isNoSuchUpload(error: unknown): boolean {
  return isBackupError(error) && error.cause instanceof Error && error.cause.name === 'NoSuchUpload'
}

/** Bytes of all parts together; a part that is sent again starts from zero. */
function sumProgress(report: PutOptions['onProgress']): (part: number) => (sentBytes: number) => void {
  const byPart: number[] = []
  let total = 0
  return (part) => (sentBytes) => {
    total += sentBytes - (byPart[part] ?? 0)
    byPart[part] = sentBytes
    report?.(total)
  }
}
