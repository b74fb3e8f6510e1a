/** The running checksum of a WAL: two 32-bit sums, kept as int32. */
export type Checksum = [s0: number, s1: number]

/**
 * SQLite's WAL checksum over words `from` (inclusive) to `to` (exclusive), which must be even in number; updates `sums`.
 * https://sqlite.org/fileformat2.html#checksum_algorithm
 */
export function addToChecksum(sums: Checksum, words: Int32Array, from: number, to: number): void {
  let [s0, s1] = sums
  for (let i = from; i < to; i += 2) {
    s0 = (s0 + (words[i] as number) + s1) | 0
    s1 = (s1 + (words[i + 1] as number) + s0) | 0
  }
  sums[0] = s0
  sums[1] = s1
}

/** True when `sums` are the two big-endian words stored at `offset`. */
export function equalsStored(sums: Checksum, bytes: Buffer, offset: number): boolean {
  return sums[0] === bytes.readInt32BE(offset) && sums[1] === bytes.readInt32BE(offset + 4)
}
