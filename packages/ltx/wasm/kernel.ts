// The arithmetic of LTX in AssemblyScript (TypeScript's syntax, compiled to WebAssembly): LZ4 blocks, CRC-64/GO-ISO, XXH32.
// `node scripts/build-kernel.mjs` compiles it into src/kernel/wasm-bytes.ts; a test compares the two. What each function
// promises is written at LtxKernel (src/kernel/kernel.ts), and src/kernel/js-kernel.ts does the same in plain JavaScript.
//
// Memory, three pages of 64 KB and nothing else (no runtime, no allocation):
//   0x00000  result of crc64 and hashPage (8 bytes)
//   0x00400  hash table of compress: 4096 positions of 16 bits
//   0x02400  scratch, 8 KB
//   0x04410  the uncompressed page, 64 KB; 16 bytes before it for its header, 64 bytes after it for wide stores
//   0x16000  compressed bytes
const HASH_TABLE: usize = 0x400
const HASH_TABLE_SIZE: usize = 8192

// --- CRC-64/GO-ISO ---------------------------------------------------------------------------------------------------------
// The polynomial is x^64 + x^4 + x^3 + x + 1, so x^64 = 1 + x + x^3 + x^4, and squaring gives x^128 = 1 + x^2 + x^6 + x^8,
// x^256 = 1 + x^4 + x^12 + x^16, x^512 = 1 + x^8 + x^24 + x^32 (squares have no mixed terms over GF(2)). Multiplying by such a
// sparse polynomial is a few shifts: no table, and eight 64-bit lanes side by side, each a Horner scheme in x^512.
// Bits are reflected: times x is a shift to the right. What falls out at the low end is x^64 and above; it is collected at the
// high end of `spill` and comes in by the first equation.

function timesX64(a: u64): u64 {
  const spill = (a << 63) ^ (a << 61) ^ (a << 60)
  return a ^ (a >> 1) ^ (a >> 3) ^ (a >> 4) ^ spill ^ (spill >> 1) ^ (spill >> 3) ^ (spill >> 4)
}

function timesX512(a: v128): v128 {
  const kept = v128.xor(v128.xor(a, i64x2.shr_u(a, 8)), v128.xor(i64x2.shr_u(a, 24), i64x2.shr_u(a, 32)))
  const spill = v128.xor(v128.xor(i64x2.shl(a, 56), i64x2.shl(a, 40)), i64x2.shl(a, 32))
  const folded = v128.xor(
    v128.xor(spill, i64x2.shr_u(spill, 1)),
    v128.xor(i64x2.shr_u(spill, 3), i64x2.shr_u(spill, 4)),
  )
  return v128.xor(kept, folded)
}

function takeLanes(crc: u64, lanes: v128): u64 {
  return timesX64(timesX64(crc ^ i64x2.extract_lane(lanes, 0)) ^ i64x2.extract_lane(lanes, 1))
}

export function crc64(lo: u32, hi: u32, from: usize, size: usize): void {
  let crc = ~(((<u64>hi) << 32) | lo)
  let at = from
  const end = from + size
  if (size >= 128) {
    let a = v128.xor(v128.load(at), i64x2.replace_lane(i64x2.splat(0), 0, crc))
    let b = v128.load(at, 16)
    let c = v128.load(at, 32)
    let d = v128.load(at, 48)
    for (at += 64; at + 64 <= end; at += 64) {
      a = v128.xor(timesX512(a), v128.load(at))
      b = v128.xor(timesX512(b), v128.load(at, 16))
      c = v128.xor(timesX512(c), v128.load(at, 32))
      d = v128.xor(timesX512(d), v128.load(at, 48))
    }
    crc = takeLanes(takeLanes(takeLanes(takeLanes(0, a), b), c), d)
  }
  for (; at + 8 <= end; at += 8) crc = timesX64(crc ^ load<u64>(at))
  // Of fewer than 8 bytes, only as much of the CRC is multiplied as they cover; the rest moves down.
  if (end - at >= 4) {
    crc = (crc >> 32) ^ timesX64((crc ^ load<u32>(at)) << 32)
    at += 4
  }
  for (; at < end; at++) crc = (crc >> 8) ^ timesX64((crc ^ load<u8>(at)) << 56)
  store<u64>(0, ~crc)
}

// --- XXH32, seed 0: the content checksum of an LZ4 frame -------------------------------------------------------------------
// https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md#xxh32-algorithm-description

const P1: u32 = 0x9e3779b1
const P2: u32 = 0x85ebca77
const P3: u32 = 0xc2b2ae3d
const P4: u32 = 0x27d4eb2f
const P5: u32 = 0x165667b1

function round(lane: u32, input: u32): u32 {
  return rotl<u32>(lane + input * P2, 13) * P1
}

/** The end of the hash, for what is left after whole 16 bytes. */
function finishXxh32(hash: u32, from: usize, end: usize): u32 {
  let at = from
  for (; at + 4 <= end; at += 4) hash = rotl<u32>(hash + load<u32>(at) * P3, 17) * P4
  for (; at < end; at++) hash = rotl<u32>(hash + <u32>load<u8>(at) * P5, 11) * P1
  hash = (hash ^ (hash >> 15)) * P2
  hash = (hash ^ (hash >> 13)) * P3
  return hash ^ (hash >> 16)
}

function joinLanes(a: u32, b: u32, c: u32, d: u32): u32 {
  return rotl<u32>(a, 1) + rotl<u32>(b, 7) + rotl<u32>(c, 12) + rotl<u32>(d, 18)
}

export function xxh32(from: usize, size: usize): u32 {
  const end = from + size
  let at = from
  if (size < 16) return finishXxh32(P5 + <u32>size, at, end)
  let a: u32 = P1 + P2
  let b: u32 = P2
  let c: u32 = 0
  let d: u32 = 0 - P1
  for (; at + 16 <= end; at += 16) {
    a = round(a, load<u32>(at))
    b = round(b, load<u32>(at, 4))
    c = round(c, load<u32>(at, 8))
    d = round(d, load<u32>(at, 12))
  }
  return finishXxh32(joinLanes(a, b, c, d) + <u32>size, at, end)
}

// Both checksums of a page in one pass: one is bound by the processor's shifts, the other by its multiplier, so that together
// they take little longer than the slower one. `size` is a multiple of 64, at least 128, as every page is.
export function hashPage(lo: u32, hi: u32, page: usize, headerSize: usize, size: usize): u32 {
  crc64(lo, hi, page - headerSize, headerSize)
  let a = i64x2.replace_lane(i64x2.splat(0), 0, ~load<u64>(0))
  let b = i64x2.splat(0)
  let c = i64x2.splat(0)
  let d = i64x2.splat(0)
  let e: u32 = P1 + P2
  let f: u32 = P2
  let g: u32 = 0
  let h: u32 = 0 - P1
  const end = page + size
  for (let at = page; at < end; at += 64) {
    // The first time round there is nothing yet to multiply but the CRC so far, which must stay as it is.
    const first = at === page
    a = v128.xor(first ? a : timesX512(a), v128.load(at))
    e = round(e, load<u32>(at))
    f = round(f, load<u32>(at, 4))
    g = round(g, load<u32>(at, 8))
    h = round(h, load<u32>(at, 12))
    b = v128.xor(timesX512(b), v128.load(at, 16))
    e = round(e, load<u32>(at, 16))
    f = round(f, load<u32>(at, 20))
    g = round(g, load<u32>(at, 24))
    h = round(h, load<u32>(at, 28))
    c = v128.xor(timesX512(c), v128.load(at, 32))
    e = round(e, load<u32>(at, 32))
    f = round(f, load<u32>(at, 36))
    g = round(g, load<u32>(at, 40))
    h = round(h, load<u32>(at, 44))
    d = v128.xor(timesX512(d), v128.load(at, 48))
    e = round(e, load<u32>(at, 48))
    f = round(f, load<u32>(at, 52))
    g = round(g, load<u32>(at, 56))
    h = round(h, load<u32>(at, 60))
  }
  store<u64>(0, ~takeLanes(takeLanes(takeLanes(takeLanes(0, a), b), c), d))
  return finishXxh32(joinLanes(e, f, g, h) + <u32>size, end, end)
}

// --- LZ4 blocks of at most 64 KB -------------------------------------------------------------------------------------------
// https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md

function slotOf(at: usize): usize {
  return HASH_TABLE + <usize>(((load<u32>(at) * 0x9e3779b1) >> 20) << 1)
}

/** The bytes that continue a length of 15 or more. */
function writeLength(to: usize, length: usize): usize {
  for (length -= 15; length >= 255; length -= 255) store<u8>(to++, 255)
  store<u8>(to++, <u8>length)
  return to
}

/** The end of the run of equal bytes at `at` and `other`, which is before `at`. */
function matchEndOf(at: usize, other: usize, limit: usize): usize {
  while (at + 8 <= limit) {
    const differs = load<u64>(at) ^ load<u64>(other)
    if (differs) return at + <usize>(ctz(differs) >> 3)
    at += 8
    other += 8
  }
  while (at < limit && load<u8>(at) === load<u8>(other)) {
    at++
    other++
  }
  return at
}

// Greedy, one candidate per hash. The table holds 16-bit positions and is cleared for each page: 8 KB of zeros cost less than
// the wider entries that would make clearing needless. The longer nothing matches, the longer the steps.
export function compress(from: usize, size: usize, to: usize): usize {
  const start = to
  const end = from + size
  let anchor = from
  if (size >= 13) {
    memory.fill(HASH_TABLE, 0, HASH_TABLE_SIZE)
    const searchEnd = end - 12
    const matchEnd = end - 5
    let at = from + 1
    let misses: u32 = 64
    while (at <= searchEnd) {
      const slot = slotOf(at)
      let candidate = from + <usize>load<u16>(slot)
      store<u16>(slot, <u16>(at - from))
      if (load<u32>(candidate) !== load<u32>(at)) {
        at += misses++ >> 6
        continue
      }
      misses = 64
      while (at > anchor && candidate > from && load<u8>(at - 1) === load<u8>(candidate - 1)) {
        at--
        candidate--
      }
      const matched = matchEndOf(at + 4, candidate + 4, matchEnd)
      const literals = at - anchor
      const length = matched - at - 4
      const token = to++
      let bits: u32 = literals >= 15 ? 0xf0 : (<u32>literals) << 4
      if (literals >= 15) to = writeLength(to, literals)
      // Whole 16 bytes are copied; what is too much is overwritten by what follows.
      for (let copied: usize = 0; copied < literals; copied += 16) v128.store(to + copied, v128.load(anchor + copied))
      to += literals
      store<u16>(to, <u16>(at - candidate))
      to += 2
      if (length >= 15) {
        bits |= 15
        to = writeLength(to, length)
      } else bits |= <u32>length
      store<u8>(token, <u8>bits)
      at = anchor = matched
      if (at <= searchEnd) store<u16>(slotOf(at - 2), <u16>(at - 2 - from))
    }
  }
  const literals = end - anchor
  store<u8>(to++, literals >= 15 ? 0xf0 : <u8>(literals << 4))
  if (literals >= 15) to = writeLength(to, literals)
  memory.copy(to, anchor, literals)
  return to + literals - start
}

export function decompress(from: usize, size: usize, to: usize, limit: usize, window: usize): i32 {
  const start = to
  const end = from + size
  const full = to + limit
  let at = from
  while (at < end) {
    const token = <u32>load<u8>(at++)
    let literals = <usize>(token >> 4)
    if (literals === 15) {
      let more: u32
      do {
        if (at >= end) return -1
        more = load<u8>(at++)
        literals += more
      } while (more === 255)
    }
    if (literals > end - at || literals > full - to) return -1
    for (let copied: usize = 0; copied < literals; copied += 16) v128.store(to + copied, v128.load(at + copied))
    at += literals
    to += literals
    if (at === end) return <i32>(to - start)
    if (end - at < 2) return -1
    const offset = <usize>load<u16>(at)
    at += 2
    if (offset === 0 || offset > to - window) return -1
    let length = <usize>(token & 15)
    if (length === 15) {
      let more: u32
      do {
        if (at >= end) return -1
        more = load<u8>(at++)
        length += more
      } while (more === 255)
    }
    length += 4
    if (length > full - to) return -1
    const matched = to + length
    let source = to - offset
    // A match may overlap what it writes, so a step must not be wider than the offset.
    if (offset >= 16) {
      for (; to < matched; to += 16, source += 16) v128.store(to, v128.load(source))
    } else if (offset >= 8) {
      for (; to < matched; to += 8, source += 8) store<u64>(to, load<u64>(source))
    } else if (offset === 1) {
      memory.fill(to, load<u8>(source), length)
    } else {
      for (; to < matched; to++, source++) store<u8>(to, load<u8>(source))
    }
    to = matched
  }
  return -1
}
