/** How much memory the engine and its children may use: `small` is for machines of 512 MB and less. */
export type ProfileName = 'default' | 'small'

/** The largest memory that still gets the small profile. */
export const smallMemoryBytes = 512 * 1024 * 1024

/** The profile that fits a machine of `memoryBytes`: the smaller of its total and its container's limit. */
export function profileFor(memoryBytes: number): ProfileName {
  return memoryBytes <= smallMemoryBytes ? 'small' : 'default'
}

/** log2 of scrypt's N for a passphrase. It takes 1 KiB << this, in one piece: 64 MiB or 16 MiB. */
export const workFactors: Readonly<Record<ProfileName, number>> = Object.freeze({ default: 16, small: 14 })
