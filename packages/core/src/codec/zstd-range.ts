import { BackupError } from '../errors.ts'
import type { RangeSource } from './open-body.ts'
import { decompressFrame, maxWholeFrameBytes } from './zstd-decode.ts'
import {
  measureFrame,
  parseFrameHeader,
  parseSeekTableFooter,
  seekTableFooterBytes,
  seekTableMagic,
} from './zstd-format.ts'

interface SeekTable {
  readonly frameCount: number
  /** Where frame i starts; one more than there are frames. */
  readonly storedStarts: Float64Array
  readonly plainStarts: Float64Array
  readonly checksums: Uint32Array | undefined
}

/** A seekable zstd stream's content by range: only the frames that hold it are read. The last frame used is kept. */
export async function openZstdRange(source: RangeSource): Promise<RangeSource> {
  const table = await readSeekTable(source)
  let kept: { readonly index: number; readonly plain: Promise<Uint8Array> } | undefined
  const sizeBytes = table.plainStarts.at(-1) ?? 0

  const loadFrame = (index: number): Promise<Uint8Array> => {
    if (kept?.index === index) return kept.plain
    const plain = readFrame(source, table, index)
    kept = { index, plain }
    plain.catch(() => {
      if (kept?.plain === plain) kept = undefined
    })
    return plain
  }

  return {
    sizeBytes,
    async read(start, end) {
      if (start < 0 || end > sizeBytes || start > end) {
        throw new BackupError('BODY_TRUNCATED', `Bytes ${start} to ${end} lie outside the image's ${sizeBytes}.`)
      }
      const parts: Uint8Array[] = []
      for (let index = frameAt(table, start), at = start; at < end; index += 1) {
        const frameStart = table.plainStarts[index] ?? 0
        const plain = await loadFrame(index)
        parts.push(plain.subarray(at - frameStart, end - frameStart))
        at = Math.max(at, frameStart + plain.length)
      }
      return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts)
    },
  }
}

async function readSeekTable(source: RangeSource): Promise<SeekTable> {
  if (source.sizeBytes < 8 + seekTableFooterBytes) throw missingTable()
  const footerBytes = await source.read(source.sizeBytes - seekTableFooterBytes, source.sizeBytes)
  const footer = parseSeekTableFooter(Buffer.from(footerBytes))
  if (footer === undefined) throw missingTable()
  const { frameCount, hasChecksums, tableBytes } = footer
  const tableStart = source.sizeBytes - tableBytes
  if (tableStart < 0) throw badTable('it is larger than the body')
  const table = Buffer.from(await source.read(tableStart, source.sizeBytes))
  if (table.readUInt32LE(0) !== seekTableMagic || table.readUInt32LE(4) !== tableBytes - 8) {
    throw badTable('its header does not fit its footer')
  }
  const storedStarts = new Float64Array(frameCount + 1)
  const plainStarts = new Float64Array(frameCount + 1)
  const checksums = hasChecksums ? new Uint32Array(frameCount) : undefined
  for (let index = 0; index < frameCount; index += 1) {
    const at = 8 + index * (hasChecksums ? 12 : 8)
    storedStarts[index + 1] = (storedStarts[index] ?? 0) + table.readUInt32LE(at)
    plainStarts[index + 1] = (plainStarts[index] ?? 0) + table.readUInt32LE(at + 4)
    if (checksums !== undefined) checksums[index] = table.readUInt32LE(at + 8)
  }
  if (storedStarts[frameCount] !== tableStart) {
    throw badTable(`its frames take ${storedStarts[frameCount]} bytes, the body has ${tableStart} before it`)
  }
  return { frameCount, storedStarts, plainStarts, checksums }
}

async function readFrame(source: RangeSource, table: SeekTable, index: number): Promise<Uint8Array> {
  const start = table.storedStarts[index] ?? 0
  const end = table.storedStarts[index + 1] ?? 0
  const plainBytes = (table.plainStarts[index + 1] ?? 0) - (table.plainStarts[index] ?? 0)
  if (plainBytes === 0) return new Uint8Array(0)
  if (plainBytes > maxWholeFrameBytes || end - start > 2 * maxWholeFrameBytes) {
    throw new BackupError('BODY_UNSUPPORTED', `Frame ${index} is too large to be read by range.`)
  }
  const stored = Buffer.from(await source.read(start, end))
  // Node 22 takes a cut frame for a whole one: https://github.com/nodejs/node/issues/64592
  if (measureFrame(stored) !== stored.length) throw misfit(index)
  const header = parseFrameHeader(stored)
  if ('fault' in header || (header.contentBytes !== undefined && header.contentBytes !== plainBytes))
    throw misfit(index)
  const checksum = table.checksums?.[index]
  if (header.hasChecksum && checksum !== undefined && stored.readUInt32LE(stored.length - 4) !== checksum)
    throw misfit(index)
  return await decompressFrame(stored, index, plainBytes)
}

/** The frame that holds plain byte `position`. */
function frameAt({ frameCount, plainStarts }: SeekTable, position: number): number {
  let low = 0
  let high = frameCount - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((plainStarts[middle] ?? 0) <= position) low = middle
    else high = middle - 1
  }
  return low
}

function missingTable(): BackupError {
  return new BackupError(
    'BODY_TRUNCATED',
    'The body does not end in a seek table: it was cut, or another tool packed it.',
    {
      hint: 'It can still be restored whole, when it was not cut.',
    },
  )
}

function badTable(why: string): BackupError {
  return new BackupError('BODY_CORRUPT', `The seek table is damaged: ${why}.`)
}

function misfit(index: number): BackupError {
  return new BackupError('BODY_CORRUPT', `Frame ${index} is not what the seek table says of it.`)
}
