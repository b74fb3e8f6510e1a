import type { Image } from './image.ts'

export interface PumpOptions {
  readonly firstPage: number
  /** Called after each chunk with the first page not yet written; `stop` ends it there. */
  readonly afterChunk?: (nextPage: number) => 'go on' | 'stop'
  readonly signal: AbortSignal
}

const CHUNK_BYTES = 1024 * 1024

/** Pages per read: about a megabyte, whatever the page size. */
export function pagesPerChunk(pageSize: number): number {
  return Math.max(1, Math.floor(CHUNK_BYTES / pageSize))
}

/** Pushes the pages from `firstPage` on into `write`, in order and one chunk at a time. Returns the first page not written. */
export async function pumpImage(
  image: Image,
  write: (chunk: Uint8Array) => Promise<void>,
  { firstPage, afterChunk, signal }: PumpOptions,
): Promise<number> {
  const perChunk = pagesPerChunk(image.pageSize)
  const buffer = Buffer.allocUnsafeSlow(perChunk * image.pageSize)
  let page = firstPage
  while (page <= image.pageCount) {
    signal.throwIfAborted()
    const count = Math.min(perChunk, image.pageCount - page + 1)
    const chunk = buffer.subarray(0, count * image.pageSize)
    await image.read(chunk, page)
    await write(chunk)
    page += count
    if (afterChunk?.(page) === 'stop') break
  }
  return page
}
