import { CHECKSUM_FLAG, HEADER_FLAG_NO_CHECKSUM, HEADER_SIZE, isPageSize } from './format.ts'
import { LtxError } from './ltx-error.ts'
import { isBytes } from './source.ts'

const MAGIC = 0x4c545831 // LTX1
const RESERVED_AT = 80

/** Where in the WAL a file's pages were read. Litestream needs it to take over a replica. */
export interface LtxWal {
  /** Byte offset in the WAL where reading started; at least 32, the size of the WAL's header. */
  readonly offset: number
  /** Bytes of WAL that were read. `offset + size` is on a frame's boundary. */
  readonly size: number
  readonly salt1: number
  readonly salt2: number
}

/** The first 100 bytes of a file. */
export interface LtxHeader {
  /** Bytes per page: a power of two, 512 to 65536. */
  readonly pageSize: number
  /** Size of the database after this file, in pages. */
  readonly commit: number
  readonly minTxid: bigint
  readonly maxTxid: bigint
  /** Milliseconds since 1970, UTC. */
  readonly timestampMs: number
  /** True for everything Litestream writes: the file carries no rolling checksums of the database. */
  readonly noChecksum: boolean
  /** Rolling checksum of the database before this file; 0 for a snapshot and in files without checksums. */
  readonly preApplyChecksum: bigint
  /** `null` when all four fields are 0, as in merged files. */
  readonly wal: LtxWal | null
  /** Litestream always writes 0. */
  readonly nodeId: bigint
}

/** A snapshot holds every page of the database: by definition a file that begins at TXID 1. */
export function isSnapshot(header: Pick<LtxHeader, 'minTxid'>): boolean {
  return header.minTxid === 1n
}

function fail(at: number, message: string, rule: string): never {
  throw new LtxError('LTX_HEADER_INVALID', message, { offset: at, rule })
}

function signed(view: DataView, at: number, name: string): number {
  const value = view.getBigInt64(at)
  const number = Number(value)
  if (!Number.isSafeInteger(number)) fail(at, `The ${name} ${value} is beyond belief.`, `${name} is below 2^53.`)
  return number
}

/** Throws `LTX_HEADER_INVALID` unless the header obeys every rule of the format. */
export function checkHeader(header: LtxHeader): void {
  const { pageSize, commit, minTxid, maxTxid, wal } = header
  if (!isPageSize(pageSize)) fail(8, `Page size ${pageSize}.`, 'The page size is a power of two from 512 to 65536.')
  if (!Number.isInteger(commit) || commit < 1 || commit > 0xffffffff) {
    fail(
      12,
      `A database of ${commit} pages.`,
      'commit is a whole number of pages, at least 1: a file cannot say "empty".',
    )
  }
  checkTxid(16, 'minTxid', minTxid)
  checkTxid(24, 'maxTxid', maxTxid)
  if (minTxid < 1n || minTxid > 0xffffffffffffffffn) fail(16, `minTxid ${minTxid}.`, 'minTxid is at least 1.')
  if (maxTxid < minTxid || maxTxid > 0xffffffffffffffffn) {
    fail(24, `TXID ${minTxid} to ${maxTxid}.`, 'maxTxid is at least minTxid and fits in 64 bits.')
  }
  if (!Number.isSafeInteger(header.timestampMs)) {
    fail(32, `Timestamp ${header.timestampMs}.`, 'The timestamp is a whole number of milliseconds.')
  }
  const pre = header.preApplyChecksum
  if (isSnapshot(header) || header.noChecksum) {
    if (pre !== 0n) {
      fail(40, 'A pre-apply checksum where none may be.', 'It is 0 in a snapshot and in a file without checksums.')
    }
  } else if (pre < CHECKSUM_FLAG) {
    fail(40, 'The pre-apply checksum is missing.', 'A checksum that is there has its top bit set.')
  }
  if (header.nodeId < 0n || header.nodeId > 0xffffffffffffffffn) fail(72, 'The node id.', 'nodeId fits in 64 bits.')
  if (wal) checkWal(wal)
}

function checkTxid(at: number, name: string, txid: unknown): void {
  if (typeof txid !== 'bigint') fail(at, `${name} is ${txid}, a ${typeof txid}.`, 'A TXID is a bigint: 1n, not 1.')
}

function checkWal(wal: LtxWal): void {
  if (!Number.isSafeInteger(wal.offset) || wal.offset < 0) {
    fail(48, `WAL offset ${wal.offset}.`, 'The WAL offset is a whole number, at least 0.')
  }
  if (!Number.isSafeInteger(wal.size) || wal.size < 0) {
    fail(56, `WAL size ${wal.size}.`, 'The WAL size is a whole number, at least 0.')
  }
  for (const salt of [wal.salt1, wal.salt2]) {
    if (!Number.isInteger(salt) || salt < 0 || salt > 0xffffffff) {
      fail(64, `WAL salt ${salt}.`, 'A salt is an unsigned 32-bit number.')
    }
  }
  if (wal.offset === 0 && (wal.size !== 0 || wal.salt1 !== 0 || wal.salt2 !== 0)) {
    fail(48, 'WAL size or salts without a WAL offset.', 'The WAL size and the salts are 0 when the WAL offset is 0.')
  }
}

/** Writes a header as its 100 bytes. Throws `LTX_HEADER_INVALID`. */
export function encodeHeader(header: LtxHeader): Uint8Array {
  checkHeader(header)
  const bytes = new Uint8Array(HEADER_SIZE)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, MAGIC)
  view.setUint32(4, header.noChecksum ? HEADER_FLAG_NO_CHECKSUM : 0)
  view.setUint32(8, header.pageSize)
  view.setUint32(12, header.commit)
  view.setBigUint64(16, header.minTxid)
  view.setBigUint64(24, header.maxTxid)
  view.setBigInt64(32, BigInt(header.timestampMs))
  view.setBigUint64(40, header.preApplyChecksum)
  if (header.wal) {
    view.setBigInt64(48, BigInt(header.wal.offset))
    view.setBigInt64(56, BigInt(header.wal.size))
    view.setUint32(64, header.wal.salt1)
    view.setUint32(68, header.wal.salt2)
  }
  view.setBigUint64(72, header.nodeId)
  return bytes
}

/**
 * Reads the first 100 bytes of a file, and nothing else of it.
 *
 * Throws `LTX_TRUNCATED`, `LTX_NOT_LTX`, `LTX_HEADER_INVALID`, or `LTX_SOURCE_INVALID` for what is no bytes.
 */
export function decodeHeader(bytes: Uint8Array): LtxHeader {
  if (!isBytes(bytes)) {
    throw new LtxError('LTX_SOURCE_INVALID', 'A header is read from a Uint8Array.', {
      hint: 'Give the first 100 bytes of the file.',
    })
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length >= 4 && view.getUint32(0) !== MAGIC) {
    throw new LtxError('LTX_NOT_LTX', 'This is not an LTX file.', { offset: 0, rule: 'A file begins with LTX1.' })
  }
  if (bytes.length < HEADER_SIZE) {
    throw new LtxError('LTX_TRUNCATED', `The file ends after ${bytes.length} bytes, inside its header.`, {
      offset: bytes.length,
      rule: 'The header is 100 bytes.',
    })
  }
  const flags = view.getUint32(4)
  if ((flags & ~HEADER_FLAG_NO_CHECKSUM) !== 0) {
    fail(4, `Header flags 0x${flags.toString(16)}.`, 'Only flag 2 (no checksums) is defined.')
  }
  const reserved = bytes.subarray(RESERVED_AT, HEADER_SIZE).findIndex((byte) => byte !== 0)
  if (reserved >= 0) fail(RESERVED_AT + reserved, 'Bytes in the reserved area.', 'Bytes 80 to 99 are 0.')
  const wal = {
    offset: signed(view, 48, 'WAL offset'),
    size: signed(view, 56, 'WAL size'),
    salt1: view.getUint32(64),
    salt2: view.getUint32(68),
  }
  const header: LtxHeader = {
    pageSize: view.getUint32(8),
    commit: view.getUint32(12),
    minTxid: view.getBigUint64(16),
    maxTxid: view.getBigUint64(24),
    timestampMs: signed(view, 32, 'timestamp'),
    noChecksum: flags === HEADER_FLAG_NO_CHECKSUM,
    preApplyChecksum: view.getBigUint64(40),
    wal: wal.offset === 0 && wal.size === 0 && wal.salt1 === 0 && wal.salt2 === 0 ? null : wal,
    nodeId: view.getBigUint64(72),
  }
  checkHeader(header)
  return header
}
