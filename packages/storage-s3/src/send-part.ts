import { Readable } from 'node:stream'
import { BackupError, isBackupError, messageOf } from '@sqlite-backup/core'
import type { Part } from './body-parts.ts'
import { declareDigest } from './s3-middleware.ts'

/** What a request with a body needs beside its parameters. */
export interface Payload {
  readonly Body: Readable
  readonly ContentLength: number
  /** SHA-256 for stores that keep it with the object. */
  readonly ChecksumSHA256?: string
}

export interface SendOptions {
  readonly storesSha256: boolean
  readonly onProgress?: ((sentBytes: number) => void) | undefined
}

/**
 * Sends a part as a stream whose length and SHA-256 are known: signed like a buffer, so that a store notices a wrong bit,
 * but neither held in memory nor hashed here.
 *
 * @throws what `part.stream()` throws, as a BackupError, if it does; else what `send` throws.
 */
export async function sendPart<T>(
  part: Part,
  { storesSha256, onProgress }: SendOptions,
  send: (payload: Payload) => Promise<T>,
): Promise<T> {
  let sourceError: unknown
  async function* bytes(): AsyncGenerator<Uint8Array, void, void> {
    let sentBytes = 0
    onProgress?.(sentBytes)
    const chunks = part.stream()[Symbol.asyncIterator]()
    // Not `for await` in a `try`: a request that gives up throws into the `yield`, which is no failure of the source.
    const next = async () => {
      try {
        return await chunks.next()
      } catch (error) {
        sourceError = isBackupError(error) ? error : unreadable(error)
        throw error
      }
    }
    try {
      for (let read = await next(); read.done !== true; read = await next()) {
        // Once it is sent it may be gone.
        const { byteLength } = read.value
        yield read.value
        sentBytes += byteLength
        onProgress?.(sentBytes)
      }
    } finally {
      await chunks.return?.()
    }
  }
  const sha256 = Buffer.from(part.sha256)
  const Body = Readable.from(bytes())
  // It is read by the request or not at all; either way its failure is told below.
  Body.on('error', () => {})
  declareDigest(Body, sha256.toString('hex'))
  try {
    return await send({
      Body,
      ContentLength: part.sizeBytes,
      ...(storesSha256 && { ChecksumSHA256: sha256.toString('base64') }),
    })
  } catch (error) {
    throw sourceError ?? error
  } finally {
    Body.destroy()
  }
}

function unreadable(cause: unknown): BackupError {
  return new BackupError('SPOOL_FAILED', `What was to be stored could not be read: ${messageOf(cause)}.`, { cause })
}
