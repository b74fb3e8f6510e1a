/** The longest varint that is read: 8 groups of 7 bits hold every safe integer. */
export const MAX_UVARINT_SIZE = 8

/** Writes an unsigned LEB128 number (a safe integer) at `at`; returns the position after it. */
export function writeUvarint(bytes: Uint8Array, at: number, value: number): number {
  while (value >= 0x80000000) {
    bytes[at++] = 0x80 | (value % 128)
    value = Math.floor(value / 128)
  }
  while (value >= 0x80) {
    bytes[at++] = 0x80 | (value & 0x7f)
    value >>>= 7
  }
  bytes[at++] = value
  return at
}

/** A place in some bytes that numbers are read from, one after the other. */
export interface UvarintCursor {
  readonly bytes: Uint8Array
  at: number
  readonly end: number
}

/**
 * Reads the number at the cursor and moves it on.
 *
 * Returns -1 when the bytes end inside the number (the cursor stays), and -2 when it is longer than any position in a file.
 */
export function readUvarint(cursor: UvarintCursor): number {
  let value = 0
  let scale = 1
  for (let at = cursor.at, size = 1; ; at++, size++) {
    if (at >= cursor.end) return -1
    if (size > MAX_UVARINT_SIZE) return -2
    const byte = cursor.bytes[at] ?? 0
    value += (byte & 0x7f) * scale
    if (byte < 0x80) {
      if (!Number.isSafeInteger(value)) return -2
      cursor.at = at + 1
      return value
    }
    scale *= 128
  }
}
