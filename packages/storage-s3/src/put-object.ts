import { randomUUID } from 'node:crypto'
import { BackupError, type Body, isBackupError, orAborted, type PutOptions, type PutResult } from '@sqlite-backup/core'
import { decidePartSize, partsOf, wholePart } from './body-parts.ts'
import { rawHead } from './head-object.ts'
import { multipartUpload } from './multipart-upload.ts'
import type { Probes } from './probes.ts'
import { fullKey, type S3Context, writeIdMetadata } from './s3-context.ts'
import { assertSize, etagOf, singlePut } from './single-put.ts'

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html */
const maxSinglePutBytes = 5 * 1024 ** 3

export type PutObject = (key: string, body: Body, options?: PutOptions) => Promise<PutResult>

/** Stores small bodies in one request and larger ones in parts, which go up while the body still grows. */
export function createPutObject(context: S3Context, probes: Probes): PutObject {
  const { settings } = context
  // Conditional puts whose answer was lost, by key and content: they may have won.
  const ambiguous = new Map<string, string>()

  return async (key, body, options = {}) => {
    fullKey(context, key)
    const { signal } = options
    await probes.requireEncryption(signal)
    const stored = options.ifAbsent
      ? await putIfAbsent(context, probes, ambiguous, key, body, options)
      : await putInParts(context, key, body, options)
    if (settings.sse === undefined && settings.storageClass === undefined) return stored
    const { ServerSideEncryption: encryption, StorageClass } = await rawHead(context, key, 'put', { signal })
    if (settings.sse !== undefined && encryption === undefined) probes.warnOnce('encryption')
    if (settings.storageClass !== undefined && (StorageClass ?? 'STANDARD') !== settings.storageClass) {
      probes.warnOnce('storageClass')
    }
    return { ...stored, ...(encryption !== undefined && { encryption }) }
  }
}

async function putInParts(context: S3Context, key: string, body: Body, options: PutOptions): Promise<PutResult> {
  const sizeBytes = typeof body.size === 'number' ? body.size : undefined
  const partSizeBytes = decidePartSize(body, sizeBytes, context.settings)
  const parts = partsOf(body, partSizeBytes)
  try {
    const first = await orAborted(parts.next(), options.signal)
    if (first.done || first.value.sizeBytes < partSizeBytes || first.value.sizeBytes === sizeBytes) {
      const part = first.value ?? (await wholePart(body, 0))
      await assertSize(body, part.sizeBytes)
      return await singlePut(context, key, part, options)
    }
    return await multipartUpload(context, key, first.value, parts, body, options)
  } finally {
    // Not awaited: it may be waiting for a body that never grows again.
    void parts.return()
  }
}

/**
 * Only PutObject can be made conditional: RGW ignores `If-None-Match` when a multipart upload is completed.
 * So the body goes up in one request, whatever its size.
 */
async function putIfAbsent(
  context: S3Context,
  probes: Probes,
  ambiguous: Map<string, string>,
  key: string,
  body: Body,
  options: PutOptions,
): Promise<PutResult> {
  const { signal } = options
  const sizeBytes = await orAborted(Promise.resolve(body.size), signal)
  if (sizeBytes > maxSinglePutBytes) {
    throw new BackupError('STORAGE_UNSUPPORTED', `${context.name}: no more than 5 GiB can be put with \`ifAbsent\`.`)
  }
  const part = await wholePart(body, sizeBytes)
  const isConditional = (await probes.fencing(signal)) === 'conditional-put'
  if (!isConditional) await assertAbsent(context, key, options)

  const attempt = `${Buffer.from(part.sha256).toString('hex')} ${key}`
  const writeId = ambiguous.get(attempt) ?? randomUUID()
  try {
    const stored = await singlePut(context, key, part, options, { writeId, isConditional })
    ambiguous.delete(attempt)
    return stored
  } catch (error) {
    if (isBackupError(error, 'UNAVAILABLE')) {
      ambiguous.set(attempt, writeId)
      throw error
    }
    if (!ambiguous.delete(attempt) || !isBackupError(error, 'OBJECT_EXISTS')) throw error
    // An earlier try of ours got no answer. Whose object is it?
    const { Metadata, ETag } = await rawHead(context, key, 'put', { signal })
    if (Metadata?.[writeIdMetadata] !== writeId) throw error
    return { sizeBytes, ...etagOf(ETag) }
  }
}

async function assertAbsent(context: S3Context, key: string, { signal }: PutOptions): Promise<void> {
  try {
    await rawHead(context, key, 'put', { signal })
  } catch (error) {
    if (isBackupError(error, 'OBJECT_MISSING')) return
    throw error
  }
  throw new BackupError('OBJECT_EXISTS', `${context.name}: there already is a ${key}.`)
}
