import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { BackupError, isBackupError, messageOf } from '../errors.ts'
import type { ByteReader } from './byte-reader.ts'

export interface GzipDecodeOptions {
  /** Without it, a body is a single member. */
  readonly isForeign: boolean
}

/**
 * Plain bytes of a `.gz` body: one member, or several of a foreign one, whose checksums and lengths zlib holds.
 *
 * @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG` or `BODY_CORRUPT`.
 */
export async function* decodeGzip(reader: ByteReader, { isForeign }: GzipDecodeOptions): AsyncIterable<Uint8Array> {
  const decoder = createGunzip({ chunkSize: 256 * 1024 })
  let fed = 0
  let plainBytes = 0
  let trailer: Buffer = Buffer.alloc(0)
  const source = Readable.from(
    (async function* () {
      for (;;) {
        const chunk = await reader.readSome(256 * 1024)
        if (chunk === undefined) return
        fed += chunk.length
        trailer = Buffer.concat([trailer, chunk.subarray(-4)]).subarray(-4)
        yield chunk
      }
    })(),
    { objectMode: false, highWaterMark: 256 * 1024 },
  )
  source.on('error', (error) => decoder.destroy(error))
  source.pipe(decoder)
  try {
    for await (const chunk of decoder as AsyncIterable<Uint8Array>) {
      plainBytes += chunk.length
      yield chunk
    }
  } catch (error) {
    throw gzipError(error)
  } finally {
    source.destroy()
  }
  if (fed === 0) throw new BackupError('BODY_TRUNCATED', 'The body is empty.')
  // zlib takes a zero byte behind a member for padding, ignores the rest of the input and says nothing.
  if (decoder.bytesWritten < fed || (await reader.readSome(1)) !== undefined) {
    throw new BackupError('BODY_TOO_LONG', 'The body goes on behind its gzip trailer.')
  }
  // zlib has held each member's length against its trailer; so the last trailer counts less than all when one precedes.
  if (!isForeign && trailer.readUInt32LE(0) !== plainBytes % 2 ** 32) {
    throw new BackupError('BODY_TOO_LONG', 'The body is more than one gzip member.', {
      hint: 'A .gz that another tool put together can be read as a foreign body.',
    })
  }
}

function gzipError(error: unknown): unknown {
  if (isBackupError(error) || !(error instanceof Error && 'code' in error)) return error
  if (error.code === 'Z_BUF_ERROR') {
    return new BackupError('BODY_TRUNCATED', 'The body ends before its gzip trailer.', { cause: error })
  }
  if (typeof error.code === 'string' && error.code.startsWith('Z_')) {
    const check = {
      'incorrect data check': 'its CRC-32 is wrong',
      'incorrect length check': 'the length in its trailer is wrong',
      'incorrect header check': 'a gzip member does not start as it must',
    }[error.message]
    const message = `The gzip stream is damaged: ${check ?? messageOf(error)}.`
    return new BackupError('BODY_CORRUPT', message, { cause: error })
  }
  return error
}
