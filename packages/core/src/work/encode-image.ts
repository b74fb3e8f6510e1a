import { type FileHandle, open, unlink } from 'node:fs/promises'
import type { EncodeOptions, EncodeResult } from '../codec/codec.ts'
import { createEncoder } from '../codec/create-encoder.ts'

export interface EncodeImageOptions {
  readonly encode: EncodeOptions
  readonly signal?: AbortSignal
  readonly onProgress?: (plainBytes: number) => void
}

const READ_BYTES = 1024 * 1024
const PROGRESS_BYTES = 16 * 1024 * 1024

/** Packs an image that is not live into a new spool file, fsynced; on any error the spool file is removed. */
export async function encodeImage(file: string, spoolFile: string, options: EncodeImageOptions): Promise<EncodeResult> {
  const input = await open(file, 'r')
  try {
    const output = await open(spoolFile, 'wx', 0o600)
    try {
      const result = await pump(input, output, options)
      await output.sync()
      await output.close()
      return result
    } catch (error) {
      await output.close().catch(() => {}) // It may be closed already, and the first error is the one to tell.
      await unlink(spoolFile)
      throw error
    }
  } finally {
    await input.close()
  }
}

async function pump(
  input: FileHandle,
  output: FileHandle,
  { encode, signal, onProgress }: EncodeImageOptions,
): Promise<EncodeResult> {
  let storedBytes = 0
  const encoder = await createEncoder(encode, {
    async write(chunk) {
      const position = storedBytes
      storedBytes += chunk.byteLength
      let written = 0
      while (written < chunk.byteLength) {
        const { bytesWritten } = await output.write(chunk, written, chunk.byteLength - written, position + written)
        written += bytesWritten
      }
    },
  })
  try {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES)
    for (let position = 0, reportedAt = 0; ; ) {
      signal?.throwIfAborted()
      const { bytesRead } = await input.read(buffer, 0, buffer.length, position)
      if (bytesRead === 0) return await encoder.end()
      position += bytesRead
      await encoder.write(buffer.subarray(0, bytesRead))
      if (position - reportedAt >= PROGRESS_BYTES) {
        reportedAt = position
        onProgress?.(position)
      }
    }
  } catch (error) {
    encoder.destroy()
    throw error
  }
}
