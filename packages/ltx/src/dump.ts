import { isSnapshot, type LtxHeader } from './header.ts'
import { defaultKernel } from './kernel/kernel.ts'
import { LtxError } from './ltx-error.ts'
import { formatTxid } from './ltx-name.ts'
import { PageReader } from './page-reader.ts'
import type { LtxInput } from './source.ts'

const BUFFER_SIZE = 131072

/** A header as plain JSON: TXIDs, checksums and salts in hex, the time in ISO 8601. */
export function headerFields(header: LtxHeader): Record<string, string | number | boolean | object | null> {
  const { wal } = header
  return {
    pageSize: header.pageSize,
    commit: header.commit,
    minTxid: formatTxid(header.minTxid),
    maxTxid: formatTxid(header.maxTxid),
    snapshot: isSnapshot(header),
    timestamp: timeOf(header),
    noChecksum: header.noChecksum,
    preApplyChecksum: formatTxid(header.preApplyChecksum),
    wal: wal && { offset: wal.offset, size: wal.size, salt1: hex32(wal.salt1), salt2: hex32(wal.salt2) },
    nodeId: formatTxid(header.nodeId),
  }
}

/** A whole file as lines for people. Throws {@link LtxError} where the file is not sound, after the lines before that. */
export async function* dumpLines(
  input: LtxInput,
  options: { readonly pages: boolean },
): AsyncGenerator<string, void, undefined> {
  const reader = await PageReader.open(input, {
    kernel: defaultKernel(),
    name: undefined,
    prevCommit: undefined,
    bufferSize: BUFFER_SIZE,
    input: undefined,
  })
  try {
    yield* headerLines(reader.header)
    if (options.pages) yield `\n${line('page', 'offset', 'size', 'encoding')}`
    let offset = 100
    for (let pgno = await reader.peek(); pgno > 0; pgno = await reader.peek()) {
      while (!reader.load()) await reader.more()
      const { size, encoding } = reader.frame
      if (options.pages) yield line(String(pgno), String(offset), String(size), encoding)
      offset += size
    }
    const { pageCount, sizeBytes, postApplyChecksum, fileChecksum } = reader.end()
    yield ''
    yield field('pages', `${pageCount}`)
    yield field('file size', `${sizeBytes} bytes`)
    yield field('post-apply', postApplyChecksum === 0n ? 'none' : formatTxid(postApplyChecksum))
    yield field('file checksum', `${formatTxid(fileChecksum)}, as computed`)
    yield field('checks', 'header, page order, every page, page index, checksums: ok')
  } finally {
    await reader.close()
  }
}

/** What went wrong, as lines for people: code and place, rule, hint. */
export function describeError(path: string, error: unknown): string[] {
  if (!(error instanceof LtxError)) return [`${path}: ${error instanceof Error ? error.message : String(error)}`]
  return [
    `${path}: ${error.code}${error.offset === undefined ? '' : ` at byte ${error.offset}`}: ${error.message}`,
    ...(error.rule === undefined ? [] : [`  rule: ${error.rule}`]),
    ...(error.hint === undefined ? [] : [`  hint: ${error.hint}`]),
  ]
}

function* headerLines(header: LtxHeader): Generator<string, void, undefined> {
  const { wal } = header
  const count = header.maxTxid - header.minTxid + 1n
  yield field('page size', `${header.pageSize}`)
  yield field('commit', `${header.commit} pages, ${header.commit * header.pageSize} bytes`)
  yield field(
    'TXID',
    `${formatTxid(header.minTxid)} to ${formatTxid(header.maxTxid)} (${count}${isSnapshot(header) ? ', a snapshot' : ''})`,
  )
  yield field('timestamp', timeOf(header))
  yield field('pre-apply', header.noChecksum ? 'none (NoChecksum)' : formatTxid(header.preApplyChecksum))
  yield field(
    'WAL',
    wal ? `offset ${wal.offset}, size ${wal.size}, salts ${hex32(wal.salt1)} ${hex32(wal.salt2)}` : 'none',
  )
  if (header.nodeId !== 0n) yield field('node', formatTxid(header.nodeId))
}

function timeOf(header: LtxHeader): string {
  const time = new Date(header.timestampMs)
  return Number.isNaN(time.getTime()) ? `${header.timestampMs} ms` : time.toISOString()
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0')
}

function field(name: string, value: string): string {
  return `${name.padEnd(14)} ${value}`
}

function line(pgno: string, offset: string, size: string, encoding: string): string {
  return `${pgno.padStart(10)} ${offset.padStart(14)} ${size.padStart(7)}  ${encoding}`
}
