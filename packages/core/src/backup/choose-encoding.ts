import type { Compression, EncodeOptions, Encryption } from '../codec/codec.ts'
import type { Profile } from '../config/profile.ts'

export interface EncodingWishes {
  readonly profile: Profile
  readonly compression: Compression
  readonly level: number
  readonly encryption?: Encryption
  /** Upper bound of the body, in bytes: decides how large pieces must be. */
  readonly maxStoredBytes: number
}

// S3 takes at most 10 000 parts: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const MAX_PIECES = 10_000

/** How to encode a body of at most `maxStoredBytes`. Pieces are S3 parts, so they grow with very large databases. */
export function chooseEncoding(wishes: EncodingWishes): EncodeOptions {
  const { profile } = wishes
  let pieceSizeBytes = profile.pieceSizeBytes
  while (wishes.maxStoredBytes > pieceSizeBytes * MAX_PIECES) pieceSizeBytes *= 2
  return {
    compression: wishes.compression,
    level: wishes.level,
    frameSizeBytes: profile.frameSizeBytes,
    inFlight: profile.framesInFlight,
    pieceSizeBytes,
    ...(wishes.encryption === undefined ? {} : { encryption: wishes.encryption }),
  }
}
