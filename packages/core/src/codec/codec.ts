/** How a body is packed: `zst` = zstd seekable format, `gz` = gzip, `none` = the database file itself. */
export type Compression = 'zst' | 'gz' | 'none'

/** Who can open a body. Recipients are `age1…`; a passphrase is age's scrypt stanza. */
export type Encryption =
  | { readonly recipients: readonly string[] }
  | {
      readonly passphrase: string /** log2 of scrypt's N: 16 needs 64 MiB of memory. @default 16 */
      readonly workFactor?: number
    }

/** What opens an encrypted body: identities are `AGE-SECRET-KEY-1…`. */
export interface DecryptionKeys {
  readonly identities?: readonly string[]
  readonly passphrase?: string
  /** log2 of the largest scrypt N to be worked through: 18 needs 256 MiB of memory. @default 18 */
  readonly maxWorkFactor?: number
}

export interface EncodeOptions {
  readonly compression: Compression
  /** zstd 1–19, gzip 1–9. Ignored for `none`. */
  readonly level: number
  /** Plain bytes per zstd frame. */
  readonly frameSizeBytes: number
  /** Frames compressed at the same time on the thread pool. */
  readonly inFlight: number
  readonly encryption?: Encryption
  /** Stored bytes per digest piece (see BodyPieces). */
  readonly pieceSizeBytes: number
}

export interface Digest {
  readonly sizeBytes: number
  /** Lower-case hex. */
  readonly sha256: string
}

export interface EncodeResult {
  /** The database image that went in. */
  readonly plain: Digest
  /** The body that came out. */
  readonly stored: Digest
}

export interface DecodeResult {
  /** The database image that came out; without `sha256` when that was left to the caller. */
  readonly plain: { readonly sizeBytes: number; readonly sha256?: string }
  /** The body that went in. */
  readonly stored: Digest
}

/** Push encoder used in the capture process. One call at a time: await each before the next. */
export interface Encoder {
  /** The chunk may be used again once the promise has resolved. Chunks of any size; large ones are faster. */
  write(chunk: Uint8Array): Promise<void>
  /** Writes the end of the body and waits until the sink has all of it. */
  end(): Promise<EncodeResult>
  /** Frees what is in flight after an error. */
  destroy(): void
}

/** Where an encoder's bytes go, in order. */
export interface EncodeSink {
  /** The chunk's memory is given back once the promise has resolved: copy what is to be kept. */
  write(chunk: Uint8Array): Promise<void>
  /** Called when a whole piece (or the last, shorter one) has been written. */
  onPiece?(index: number, sha256: Uint8Array): void
}

/** See `DecodeOptions.freeChunks`. */
export const freedChunkBytes: number = 256 * 1024
/** See `DecodeOptions.freeChunks`. */
export const heldChunkBytes: number = 4 * 1024 * 1024

export interface DecodeOptions {
  readonly compression: Compression
  readonly encrypted: boolean
  readonly keys?: DecryptionKeys
  /** What the manifest promises; every promise is held, and the error says which one was broken. */
  readonly expect?: { readonly plain?: Digest; readonly stored?: Digest }
  /** Frames decompressed at the same time. @default 2 */
  readonly inFlight?: number
  /**
   * Accept what another tool packed: a `.zst` without a seek table and with frames of any size, a `.gz` of several
   * members. Without a promised plain digest a cut between two of them then goes unseen.
   * @default true when `expect.plain` is given
   */
  readonly foreign?: boolean
  /**
   * Give the memory of chunks of at least `freedChunkBytes` back. When the next one is asked for, the last ones, one at
   * least and no more than `heldChunkBytes`, may still be in use. Keeps the process tens of megabytes smaller.
   * @default false
   */
  readonly freeChunks?: boolean
  /** Only count the plain bytes: the caller compares their SHA-256 before it trusts them. @default false */
  readonly leavesPlainDigest?: boolean
}
