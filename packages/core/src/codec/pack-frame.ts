import type { DeflateRaw, ZstdCompress, ZstdDecompress } from 'node:zlib'

type OneShot = DeflateRaw | ZstdCompress | ZstdDecompress

/**
 * Runs one buffer through a zlib stream on the thread pool. The stream's `flush` option must end the output with this
 * write. Unlike zlib's own one-shot functions it takes a single trip to the pool and leaves no second copy behind: the
 * result is the stream's only output buffer, which `freeBuffer` can give back. Rejects when more than `maxBytes` come.
 */
export function packFrame(
  stream: OneShot,
  frame: Uint8Array,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = []
    let sizeBytes = 0
    stream.on('data', (part: Uint8Array) => {
      parts.push(part)
      sizeBytes += part.length
      if (sizeBytes > maxBytes) stream.destroy(new Error(`more than ${maxBytes} bytes come out of it`))
    })
    stream.on('error', reject)
    stream.write(frame, (error) => {
      stream.destroy()
      if (error) reject(error)
      else resolve(parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts))
    })
  })
}
