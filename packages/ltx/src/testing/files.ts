import { createHash } from 'node:crypto'
import type { LtxInput, LtxPage, LtxSource } from '../index.ts'
import { decodeLtx } from '../index.ts'

/** All bytes of a file that is being written. */
export async function bytesOf(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return new Uint8Array(Buffer.concat(all))
}

/** A file as chunks of some size. */
export async function* inChunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.slice(at, at + size)
}

/** A file that is read by ranges, and the ranges that were read. */
export function sourceOf(bytes: Uint8Array): LtxSource & { readonly reads: [number, number][] } {
  const reads: [number, number][] = []
  return {
    reads,
    sizeBytes: bytes.length,
    async read(start, end) {
      reads.push([start, end])
      return bytes.slice(start, end)
    },
  }
}

/** The pages of a file, decoded. */
export async function pagesIn(input: LtxInput): Promise<Map<number, Uint8Array>> {
  return mapOf(await decodeLtx(input))
}

export async function mapOf(pages: AsyncIterable<LtxPage>): Promise<Map<number, Uint8Array>> {
  const map = new Map<number, Uint8Array>()
  for await (const { pgno, data } of pages) map.set(pgno, data)
  return map
}

export function fromHex(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/[^0-9a-f]/g, ''), 'hex'))
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** Pages as hashes by number: as good to compare, a hundred times as fast, and short when they differ. */
export function hashes(pages: Iterable<readonly [number, Uint8Array]>): Record<number, string> {
  return Object.fromEntries([...pages].map(([pgno, data]) => [pgno, createHash('sha1').update(data).digest('hex')]))
}
