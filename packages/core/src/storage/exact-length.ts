import { BackupError } from '../errors.ts'

/**
 * The stream as it is, except that a wrong number of bytes is an error.
 *
 * @throws BackupError `BODY_TRUNCATED` when it ends before `sizeBytes`, `BODY_TOO_LONG` when it does not end there.
 */
export async function* exactLength(
  stream: AsyncIterable<Uint8Array>,
  size: number | Promise<number>,
): AsyncGenerator<Uint8Array, void, void> {
  let seen = 0
  for await (const chunk of stream) {
    seen += chunk.byteLength
    if (typeof size === 'number' && seen > size) break
    yield chunk
  }
  const sizeBytes = await size
  if (seen < sizeBytes) {
    throw new BackupError('BODY_TRUNCATED', `The body ended after ${seen} of ${sizeBytes} bytes.`)
  }
  if (seen > sizeBytes) throw new BackupError('BODY_TOO_LONG', `The body has more than its ${sizeBytes} bytes.`)
}
