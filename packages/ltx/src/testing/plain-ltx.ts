/**
 * The format once more, as plainly as it can be written and with nothing of the package: to have another opinion, to make files that
 * the encoder refuses to make, and files with rolling checksums, which it never makes.
 */
export interface PlainFile {
  magic?: string
  flags?: number
  pageSize: number
  commit: number
  minTxid: bigint
  maxTxid: bigint
  timestampMs?: bigint
  preApply?: bigint
  wal?: [offset: bigint, size: bigint, salt1: number, salt2: number]
  nodeId?: bigint
  reserved?: number
  pages: PlainPage[]
  /** Changes the index before its size and everything after it are made. */
  index?: (bytes: Buffer) => Buffer
  indexSize?: bigint
  postApply?: bigint
  fileChecksum?: bigint
  after?: Buffer
}

export interface PlainPage {
  pgno: number
  data: Buffer
  flags?: number
  /** What stands behind the page header instead of a literal LZ4 block and its size. */
  payload?: Buffer
}

const TABLE = BigUint64Array.from({ length: 256 }, (_, byte) => {
  let value = BigInt(byte)
  for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ 0xd800000000000000n : value >> 1n
  return value
})

export function plainCrc64(...parts: Uint8Array[]): bigint {
  let crc = 0xffffffffffffffffn
  for (const part of parts) {
    for (const byte of part) crc = (TABLE[Number((crc ^ BigInt(byte)) & 0xffn)] ?? 0n) ^ (crc >> 8n)
  }
  return crc ^ 0xffffffffffffffffn
}

export const TOP_BIT = 1n << 63n

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

export function u64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(value)
  return bytes
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function uvarint(value: number): Buffer {
  const bytes: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return Buffer.from([...bytes, value])
}

/** An LZ4 block that is a single run of literals. */
export function literalBlock(data: Uint8Array): Buffer {
  if (data.length < 15) return Buffer.concat([Buffer.from([data.length << 4]), data])
  const head = [0xf0]
  let length = data.length - 15
  for (; length >= 255; length -= 255) head.push(255)
  return Buffer.concat([Buffer.from([...head, length]), data])
}

/** The checksum of a database: an XOR over its pages. */
export function plainRolling(pages: readonly { pgno: number; data: Uint8Array }[]): bigint {
  return pages.reduce((sum, { pgno, data }) => TOP_BIT | (sum ^ plainCrc64(u32(pgno), data)), TOP_BIT)
}

export function plainLtx(file: PlainFile): Buffer {
  const [walOffset, walSize, salt1, salt2] = file.wal ?? [0n, 0n, 0, 0]
  const header = Buffer.concat([
    Buffer.from(file.magic ?? 'LTX1', 'latin1'),
    u32(file.flags ?? 2),
    u32(file.pageSize),
    u32(file.commit),
    u64(file.minTxid),
    u64(file.maxTxid),
    u64(BigInt.asUintN(64, file.timestampMs ?? 0n)),
    u64(file.preApply ?? 0n),
    u64(BigInt.asUintN(64, walOffset)),
    u64(BigInt.asUintN(64, walSize)),
    u32(salt1),
    u32(salt2),
    u64(file.nodeId ?? 0n),
    Buffer.alloc(20, file.reserved ?? 0),
  ])
  const stored: Buffer[] = [header]
  const hashed: Buffer[] = [header]
  const lines: Buffer[] = []
  let offset = header.length
  for (const { pgno, data, flags = 1, payload } of file.pages) {
    const head = Buffer.concat([u32(pgno), u16(flags)])
    const block = literalBlock(data)
    const size = flags === 1 ? u32((payload ?? block).length) : Buffer.alloc(0)
    const frame = Buffer.concat([head, size, payload ?? block])
    stored.push(frame)
    hashed.push(head, size, data)
    lines.push(uvarint(pgno), uvarint(offset), uvarint(frame.length))
    offset += frame.length
  }
  const rawIndex = Buffer.concat([...lines, Buffer.from([0])])
  const index = file.index?.(rawIndex) ?? rawIndex
  const rest = Buffer.concat([
    Buffer.alloc(6),
    index,
    u64(file.indexSize ?? BigInt(index.length)),
    u64(file.postApply ?? 0n),
  ])
  const checksum = file.fileChecksum ?? TOP_BIT | plainCrc64(...hashed, rest)
  return Buffer.concat([...stored, rest, u64(checksum), file.after ?? Buffer.alloc(0)])
}
