import { BackupError } from '../errors.ts'
import type { ByteReader } from './byte-reader.ts'
import {
  type FrameHeader,
  frameHeaderBytes,
  isSkippableMagic,
  parseBlockHeader,
  parseFrameHeader,
  parseSeekTableFooter,
  seekableMagic,
  seekTableFooterBytes,
  seekTableMagic,
  zstdMagic,
} from './zstd-format.ts'
import { createFrameLedger, type FrameLedger } from './zstd-ledger.ts'

/** A frame whose header has been read. `stored()` must be drained and `settle()` called before the next is asked for. */
export interface WalkedFrame {
  readonly index: number
  readonly header: FrameHeader
  /** The frame's bytes, from its magic number to its last, in pieces. */
  stored(): AsyncIterable<Buffer>
  /** Notes the frame's plain size, which the seek table must agree with. */
  settle(plainBytes: number): void
}

export interface WalkOptions {
  /** Without it, frames must declare size and checksum, and a seek table must follow them. */
  readonly isForeign: boolean
}

/**
 * Splits a zstd stream into its frames, since Node's decoder stops after the first one without an error. The block
 * headers say where a frame ends; what the seek table says is compared with what was seen.
 *
 * @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG`, `BODY_CORRUPT` or `BODY_UNSUPPORTED`.
 */
export async function* walkFrames(reader: ByteReader, { isForeign }: WalkOptions): AsyncIterable<WalkedFrame> {
  const ledger = createFrameLedger()
  for (let index = 0; ; ) {
    const offset = reader.position
    const magicBytes = await reader.read(4)
    if (magicBytes.length === 0 && isForeign && index > 0) return
    if (magicBytes.length < 4) {
      throw truncated(
        magicBytes.length > 0 ? `inside the magic number at byte ${offset}` : 'without its seek table',
        'A .zst that another tool wrote has none; it can be read as a foreign body.',
      )
    }
    const magic = magicBytes.readUInt32LE(0)
    if (magic === zstdMagic) {
      yield await openFrame({ reader, magicBytes, index, offset, isForeign, ledger })
      index += 1
    } else if (isSkippableMagic(magic)) {
      const kind = await readSkippable({ reader, magic, isForeign, ledger })
      if (kind === 'seek-table') return await refuseMore(reader)
    } else {
      const where = index === 0 ? 'The body does not start with' : `What follows frame ${index - 1} is not`
      throw new BackupError('BODY_CORRUPT', `${where} a zstd frame: wrong magic number at byte ${offset}.`)
    }
  }
}

interface OpenFrameOptions extends WalkOptions {
  readonly reader: ByteReader
  readonly magicBytes: Buffer
  readonly index: number
  readonly offset: number
  readonly ledger: FrameLedger
}

async function openFrame({
  reader,
  magicBytes,
  index,
  offset,
  isForeign,
  ledger,
}: OpenFrameOptions): Promise<WalkedFrame> {
  const [header, headerBytes] = await readHeader(reader, magicBytes, index)
  if (header.dictionaryId !== 0) {
    throw new BackupError('BODY_UNSUPPORTED', `Frame ${index} needs the zstd dictionary ${header.dictionaryId}.`)
  }
  if (!isForeign && !(header.hasChecksum && header.contentBytes !== undefined)) {
    throw new BackupError('BODY_CORRUPT', `The header of frame ${index} lacks the content size or the checksum flag.`, {
      hint: 'A .zst that another tool wrote can be read as a foreign body.',
    })
  }
  let checksum: number | undefined
  return {
    index,
    header,
    async *stored() {
      yield headerBytes
      for (let isLast = false; !isLast; ) {
        const bytes = await readExactly(reader, 3, index)
        const block = parseBlockHeader(bytes.readUIntLE(0, 3))
        if (block === undefined) throw new BackupError('BODY_CORRUPT', `Frame ${index} has an impossible block header.`)
        yield bytes
        yield* readPieces(reader, block.storedBytes, index)
        isLast = block.isLast
      }
      if (!header.hasChecksum) return
      const bytes = await readExactly(reader, 4, index)
      checksum = bytes.readUInt32LE(0)
      yield bytes
    },
    settle(plainBytes) {
      ledger.add({ storedBytes: reader.position - offset, plainBytes, checksum })
    },
  }
}

async function readHeader(reader: ByteReader, magic: Buffer, index: number): Promise<readonly [FrameHeader, Buffer]> {
  const descriptor = await readExactly(reader, 1, index)
  const restBytes = frameHeaderBytes(descriptor.readUInt8(0)) - 5
  const bytes = Buffer.concat([magic, descriptor, await readExactly(reader, restBytes, index)])
  const header = parseFrameHeader(bytes)
  if ('fault' in header) throw new BackupError('BODY_CORRUPT', `Frame ${index} ${header.fault}.`)
  return [header, bytes]
}

interface ReadSkippableOptions extends WalkOptions {
  readonly reader: ByteReader
  readonly magic: number
  readonly ledger: FrameLedger
}

/** The seek table, or what another tool put between its frames. */
async function readSkippable({
  reader,
  magic,
  isForeign,
  ledger,
}: ReadSkippableOptions): Promise<'seek-table' | 'skipped'> {
  const sizeBytes = await reader.read(4)
  if (sizeBytes.length < 4) throw truncated('inside its seek table')
  const size = sizeBytes.readUInt32LE(0)
  const entriesBytes = size - seekTableFooterBytes
  if (magic === seekTableMagic && (entriesBytes === ledger.frameCount * 12 || entriesBytes === ledger.frameCount * 8)) {
    await compareSeekTable(reader, ledger, entriesBytes === ledger.frameCount * 12)
    return 'seek-table'
  }
  if (!isForeign) {
    throw new BackupError(
      'BODY_CORRUPT',
      magic === seekTableMagic
        ? `The seek table's size, ${size} bytes, does not fit the ${ledger.frameCount} frames before it.`
        : `Behind frame ${ledger.frameCount - 1} stands a skippable frame that is no seek table.`,
    )
  }
  let lastBytes = Buffer.alloc(0)
  for (let missing = size; missing > 0; ) {
    const some = await reader.readSome(missing)
    if (some === undefined) throw truncated('inside a skippable frame')
    lastBytes = Buffer.concat([lastBytes, some.subarray(-4)]).subarray(-4)
    missing -= some.length
  }
  if (magic === seekTableMagic && size >= seekTableFooterBytes && lastBytes.readUInt32LE(0) === seekableMagic) {
    throw new BackupError('BODY_CORRUPT', `The seek table does not fit the ${ledger.frameCount} frames before it.`)
  }
  ledger.add({ storedBytes: 8 + size, plainBytes: 0, checksum: undefined })
  return 'skipped'
}

async function compareSeekTable(reader: ByteReader, ledger: FrameLedger, hasChecksums: boolean): Promise<void> {
  const comparison = ledger.compare(hasChecksums)
  const { entryBytes } = comparison
  for (let missing = ledger.frameCount; missing > 0; ) {
    const count = Math.min(missing, 4096)
    const entries = await reader.read(count * entryBytes)
    if (entries.length < count * entryBytes) throw truncated('inside its seek table')
    comparison.update(entries)
    missing -= count
  }
  const footerBytes = await reader.read(seekTableFooterBytes)
  if (footerBytes.length < seekTableFooterBytes) throw truncated('inside its seek table')
  const footer = parseSeekTableFooter(footerBytes)
  // With no frames both kinds of table have the same size.
  const isFooterRight =
    footer?.frameCount === ledger.frameCount && (footer.hasChecksums === hasChecksums || ledger.frameCount === 0)
  if (!isFooterRight) throw new BackupError('BODY_CORRUPT', "The seek table's footer is damaged.")
  if (!comparison.isEqual()) {
    throw new BackupError('BODY_CORRUPT', 'The frames are not those the seek table lists: sizes or checksums differ.')
  }
}

async function refuseMore(reader: ByteReader): Promise<void> {
  if ((await reader.readSome(1)) !== undefined) {
    throw new BackupError('BODY_TOO_LONG', 'The body goes on behind its seek table.')
  }
}

async function readExactly(reader: ByteReader, count: number, index: number): Promise<Buffer> {
  const bytes = await reader.read(count)
  if (bytes.length < count) throw truncated(`inside frame ${index}`)
  return bytes
}

async function* readPieces(reader: ByteReader, count: number, index: number): AsyncIterable<Buffer> {
  for (let missing = count; missing > 0; ) {
    const some = await reader.readSome(missing)
    if (some === undefined) throw truncated(`inside frame ${index}`)
    missing -= some.length
    yield some
  }
}

function truncated(where: string, hint?: string): BackupError {
  return new BackupError('BODY_TRUNCATED', `The body ends ${where}.`, hint === undefined ? {} : { hint })
}
