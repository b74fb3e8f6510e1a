// https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
const LAST_LITERALS = 5
const NO_MATCH_AFTER = 12
const HASH_BITS = 12

const seen = new Uint16Array(1 << HASH_BITS)

function hashAt(view: DataView, at: number): number {
  return Math.imul(view.getInt32(at, true), 0x9e3779b1) >>> (32 - HASH_BITS)
}

/** A length of 15 or more goes on in bytes of 255 after the token. */
function writeLength(memory: Uint8Array, to: number, length: number): number {
  for (length -= 15; length >= 255; length -= 255) memory[to++] = 255
  memory[to++] = length
  return to
}

function writeLiterals(memory: Uint8Array, from: number, size: number, to: number): number {
  memory[to++] = Math.min(size, 15) << 4
  if (size >= 15) to = writeLength(memory, to, size)
  memory.copyWithin(to, from, from + size)
  return to + size
}

/** Writes an LZ4 block of at most 64 KB: greedy, one candidate per hash, longer steps while nothing matches. */
export function compressBlock(memory: Uint8Array, view: DataView, from: number, size: number, to: number): number {
  const end = from + size
  const matchEnd = end - LAST_LITERALS
  const searchEnd = end - NO_MATCH_AFTER
  const start = to
  let anchor = from
  let at = from + 1
  let misses = 64
  seen.fill(0)
  while (at <= searchEnd) {
    const slot = hashAt(view, at)
    let candidate = from + (seen[slot] ?? 0)
    seen[slot] = at - from
    if (view.getInt32(candidate, true) !== view.getInt32(at, true)) {
      at += misses++ >> 6
      continue
    }
    misses = 64
    while (at > anchor && candidate > from && memory[at - 1] === memory[candidate - 1]) {
      at--
      candidate--
    }
    const offset = at - candidate
    let matched = at + 4
    while (matched < matchEnd && memory[matched] === memory[matched - offset]) matched++
    const token = to
    to = writeLiterals(memory, anchor, at - anchor, to)
    memory[to++] = offset & 255
    memory[to++] = offset >>> 8
    const length = matched - at - 4
    memory[token] = (memory[token] ?? 0) | Math.min(length, 15)
    if (length >= 15) to = writeLength(memory, to, length)
    at = anchor = matched
    if (at <= searchEnd) seen[hashAt(view, at - 2)] = at - 2 - from
  }
  return writeLiterals(memory, anchor, end - anchor, to) - start
}

/** Reads an LZ4 block; -1 when it is damaged, would exceed `limit`, or reaches back past `window`. */
export function decompressBlock(
  memory: Uint8Array,
  from: number,
  size: number,
  to: number,
  limit: number,
  window: number,
): number {
  const end = from + size
  const full = to + limit
  const start = to
  let at = from
  while (at < end) {
    const token = memory[at++] ?? 0
    let literals = token >>> 4
    if (literals === 15) {
      let more: number
      do {
        if (at >= end) return -1
        more = memory[at++] ?? 0
        literals += more
      } while (more === 255)
    }
    if (literals > end - at || literals > full - to) return -1
    memory.copyWithin(to, at, at + literals)
    at += literals
    to += literals
    if (at === end) return to - start
    if (end - at < 2) return -1
    const offset = (memory[at] ?? 0) | ((memory[at + 1] ?? 0) << 8)
    at += 2
    if (offset === 0 || offset > to - window) return -1
    let length = token & 15
    if (length === 15) {
      let more: number
      do {
        if (at >= end) return -1
        more = memory[at++] ?? 0
        length += more
      } while (more === 255)
    }
    length += 4
    if (length > full - to) return -1
    // A match may overlap what it writes, so it is copied byte by byte.
    for (let copied = 0; copied < length; copied++, to++) memory[to] = memory[to - offset] ?? 0
  }
  return -1
}
