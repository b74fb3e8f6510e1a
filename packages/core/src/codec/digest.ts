import { createHash } from 'node:crypto'
import { BackupError } from '../errors.ts'
import type { Digest } from './codec.ts'

/** Counts what passes, and hashes it unless somebody else does. */
export interface Counter {
  readonly sizeBytes: number
  update(chunk: Uint8Array): void
  digest?(): Digest
}

export interface Digester extends Counter {
  digest(): Digest
}

export function createDigester(): Digester {
  const hash = createHash('sha256')
  let sizeBytes = 0
  return {
    get sizeBytes() {
      return sizeBytes
    },
    update(chunk) {
      hash.update(chunk)
      sizeBytes += chunk.length
    },
    digest: () => ({ sizeBytes, sha256: hash.digest('hex') }),
  }
}

export function createCounter(): Counter {
  let sizeBytes = 0
  return {
    get sizeBytes() {
      return sizeBytes
    },
    update(chunk) {
      sizeBytes += chunk.length
    },
  }
}

export interface Piece {
  readonly index: number
  readonly sha256: Uint8Array
}

/** Hashes what passes in pieces of equal size; each call returns the pieces it completed. */
export function createPieceDigester(pieceSizeBytes: number): {
  update(chunk: Uint8Array): readonly Piece[]
  end(): readonly Piece[]
} {
  let hash = createHash('sha256')
  let filled = 0
  let index = 0
  const finish = (): Piece => {
    const piece = { index, sha256: hash.digest() }
    hash = createHash('sha256')
    filled = 0
    index += 1
    return piece
  }
  return {
    update(chunk) {
      const done: Piece[] = []
      let offset = 0
      while (offset < chunk.length) {
        const count = Math.min(pieceSizeBytes - filled, chunk.length - offset)
        hash.update(chunk.subarray(offset, offset + count))
        offset += count
        filled += count
        if (filled === pieceSizeBytes) done.push(finish())
      }
      return done
    },
    end: () => (filled > 0 ? [finish()] : []),
  }
}

/** Which bytes a digest is about, for messages. */
export type DigestSubject = 'stored' | 'plain'

/** @throws BackupError `BODY_TOO_LONG` as soon as more bytes came than were promised. */
export function checkNotLonger(subject: DigestSubject, sizeBytes: number, expect: Digest | undefined): void {
  if (expect === undefined || sizeBytes <= expect.sizeBytes) return
  throw new BackupError(
    'BODY_TOO_LONG',
    `The body has more than the ${expect.sizeBytes} ${subject} bytes its manifest promises.`,
  )
}

/** @throws BackupError `BODY_TRUNCATED` when the end came before the promised size. */
export function checkNotShorter(subject: DigestSubject, sizeBytes: number, expect: Digest | undefined): void {
  if (expect === undefined || sizeBytes >= expect.sizeBytes) return
  throw new BackupError(
    'BODY_TRUNCATED',
    `The body has ${sizeBytes} ${subject} bytes; its manifest promises ${expect.sizeBytes}.`,
  )
}

/** @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG` or `BODY_DIGEST_MISMATCH`. */
export function checkDigest(subject: DigestSubject, found: Digest, expect: Digest | undefined): void {
  if (expect === undefined) return
  checkNotLonger(subject, found.sizeBytes, expect)
  checkNotShorter(subject, found.sizeBytes, expect)
  if (found.sha256 !== expect.sha256) {
    throw new BackupError(
      'BODY_DIGEST_MISMATCH',
      `The SHA-256 of the ${subject} bytes is ${found.sha256}; the manifest promises ${expect.sha256}.`,
    )
  }
}
