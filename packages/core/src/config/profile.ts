const MiB = 1024 * 1024

export type ProfileName = 'default' | 'small'

/** How much memory the engine and its children may use, as the sizes that decide it. */
export interface Profile {
  readonly name: ProfileName
  /** Plain bytes per zstd frame. */
  readonly frameSizeBytes: number
  /** Frames compressed or decompressed at the same time. */
  readonly framesInFlight: number
  /** Stored bytes per digest piece, and per part of a multipart upload. */
  readonly pieceSizeBytes: number
  /** Parts uploaded, or ranges downloaded, at the same time. */
  readonly partsInFlight: number
  /** log2 of scrypt's N for a passphrase: it takes 1 KiB << this. */
  readonly workFactor: number
}

export const profiles: Readonly<Record<ProfileName, Profile>> = Object.freeze({
  default: Object.freeze({
    name: 'default',
    frameSizeBytes: MiB,
    framesInFlight: 4,
    pieceSizeBytes: 8 * MiB,
    partsInFlight: 4,
    workFactor: 16,
  }),
  small: Object.freeze({
    name: 'small',
    frameSizeBytes: MiB,
    framesInFlight: 2,
    pieceSizeBytes: 5 * MiB,
    partsInFlight: 1,
    workFactor: 14,
  }),
})

/** The largest memory that still gets the small profile. */
export const smallMemoryBytes = 512 * MiB

/** The profile that fits a machine of `memoryBytes`, the smaller of its total and its container's limit. */
export function profileFor(memoryBytes: number): ProfileName {
  return memoryBytes <= smallMemoryBytes ? 'small' : 'default'
}
