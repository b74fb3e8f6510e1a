// LTX: encode, decode and merge in MB/s of pages, against its own parts and against zstd; and memory.
//
//   node bench/ltx.mjs            about a minute
//   node bench/ltx.mjs --huge     also 100 GB of pages through the encoder, the decoder and a merge of 1000 files (half an hour)
//
// Every round runs all candidates one after the other, and each candidate's best round counts: a busy machine slows all alike.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { decodeLtx, defaultKernel, encodeLtx, mergeLtx, verifyLtx } from '@sqlite-backup/ltx'
import { PAGE, sampleDatabase } from './ltx-sample.mjs'

const ROUNDS = 40
const MB = 1e6
const wal = { offset: 32, size: 0, salt1: 1, salt2: 2 }

function* pagesOf(database, from = 0, step = 1) {
  const count = database.length / PAGE
  for (let k = from; k < count; k += step) yield { pgno: k + 1, data: database.subarray(k * PAGE, k * PAGE + PAGE) }
}

function snapshotInfo(database) {
  return { pageSize: PAGE, commit: database.length / PAGE, minTxid: 1n, maxTxid: 1n, timestampMs: 0, wal }
}

/** The chunks of a file, 64 KB each, as they come from disk. */
async function collect(encoding) {
  const chunks = []
  for await (const chunk of encoding) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  return Array.from({ length: Math.ceil(bytes.length / 65536) }, (_, k) => bytes.subarray(k * 65536, k * 65536 + 65536))
}

async function drain(iterable) {
  let count = 0
  for await (const _ of iterable) count++
  return count
}

/** Best seconds per candidate, over rounds that run all of them. */
async function race(candidates) {
  const best = Object.fromEntries(Object.keys(candidates).map((name) => [name, Number.POSITIVE_INFINITY]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, run] of Object.entries(candidates)) {
      const start = process.hrtime.bigint()
      await run()
      best[name] = Math.min(best[name], Number(process.hrtime.bigint() - start) / 1e9)
    }
  }
  return best
}

async function speed() {
  const database = sampleDatabase(30_000)
  const count = database.length / PAGE
  const kernel = defaultKernel()
  const { memory } = kernel
  const info = snapshotInfo(database)
  const packed = [...pagesOf(database)].map(({ data }) => {
    memory.set(data, kernel.page)
    return memory.slice(kernel.packed, kernel.packed + kernel.compress(kernel.page, PAGE, kernel.packed))
  })
  const files = {}
  for (const encoding of ['frame', 'block']) {
    // A snapshot and three changes of a third of the pages each.
    files[encoding] = [await collect(encodeLtx(info, pagesOf(database), { encoding }))]
    for (let k = 0; k < 3; k++) {
      const change = { ...info, minTxid: BigInt(k + 2), maxTxid: BigInt(k + 2) }
      files[encoding].push(await collect(encodeLtx(change, pagesOf(database, k, 3), { encoding, prevCommit: count })))
    }
  }
  const level = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
  const zstd = []
  for (let at = 0; at < database.length; at += 1 << 20)
    zstd.push(zstdCompressSync(database.subarray(at, at + (1 << 20)), level))

  const crc = { lo: 0, hi: 0 }
  const best = await race({
    crc() {
      for (let k = 0; k < count; k++) {
        memory.set(database.subarray(k * PAGE, k * PAGE + PAGE), kernel.page)
        kernel.crc64(crc, kernel.page, PAGE)
      }
    },
    xxh32() {
      for (let k = 0; k < count; k++) {
        memory.set(database.subarray(k * PAGE, k * PAGE + PAGE), kernel.page)
        kernel.xxh32(kernel.page, PAGE)
      }
    },
    compress() {
      for (let k = 0; k < count; k++) {
        memory.set(database.subarray(k * PAGE, k * PAGE + PAGE), kernel.page)
        kernel.compress(kernel.page, PAGE, kernel.packed)
      }
    },
    decompress() {
      for (const bytes of packed) {
        memory.set(bytes, kernel.packed)
        kernel.decompress(kernel.packed, bytes.length, kernel.page, PAGE, kernel.page)
      }
    },
    zstdCompress() {
      for (let at = 0; at < database.length; at += 1 << 20)
        zstdCompressSync(database.subarray(at, at + (1 << 20)), level)
    },
    zstdDecompress() {
      for (const bytes of zstd) zstdDecompressSync(bytes)
    },
    encodeFrame: () => drain(encodeLtx(info, pagesOf(database), { encoding: 'frame' })),
    encodeBlock: () => drain(encodeLtx(info, pagesOf(database), { encoding: 'block' })),
    decodeFrame: async () => drain(await decodeLtx(files.frame[0])),
    decodeBlock: async () => drain(await decodeLtx(files.block[0])),
    reuseFrame: async () => drain(await decodeLtx(files.frame[0], { reuse: true })),
    reuseBlock: async () => drain(await decodeLtx(files.block[0], { reuse: true })),
    verifyFrame: () => verifyLtx(files.frame[0]),
    verifyBlock: () => verifyLtx(files.block[0]),
    mergeFrame: async () => drain(await mergeLtx(files.frame, { encoding: 'frame' })),
    mergeBlock: async () => drain(await mergeLtx(files.block, { encoding: 'block' })),
    mergeAcross: async () => drain(await mergeLtx(files.block, { encoding: 'frame' })),
  })

  const size = (chunks) => chunks.reduce((sum, chunk) => sum + chunk.length, 0)
  const bytes = database.length
  const encodeParts = best.compress + best.crc
  const decodeParts = best.decompress + best.crc
  const row = (name, seconds, input, parts, zstdSeconds, stored) => [
    name,
    (input / MB / seconds).toFixed(0),
    parts ? (parts / seconds).toFixed(2) : '',
    zstdSeconds ? (zstdSeconds / seconds).toFixed(2) : '',
    stored ? (bytes / stored).toFixed(2) : '',
  ]
  console.log(
    `\n${(bytes / MB).toFixed(1)} MB of ${PAGE}-byte pages, kernel ${kernel.name}, Node ${process.version}, best of ${ROUNDS}`,
  )
  console.log(
    'MB/s are of uncompressed pages. "of parts": 1.00 would be as fast as LZ4 and CRC-64 in sequence and nothing else.\n',
  )
  table(
    ['', 'MB/s', 'of parts', 'of zstd-1', 'ratio'],
    [
      row('CRC-64/GO-ISO', best.crc, bytes),
      row('XXH32', best.xxh32, bytes),
      row('LZ4 compress, page by page', best.compress, bytes, undefined, best.zstdCompress, size(packed)),
      row('LZ4 decompress, page by page', best.decompress, bytes, undefined, best.zstdDecompress),
      row('zstd-1 compress, 1 MiB blocks', best.zstdCompress, bytes, undefined, best.zstdCompress, size(zstd)),
      row('zstd-1 decompress', best.zstdDecompress, bytes, undefined, best.zstdDecompress),
      row('encode, frame', best.encodeFrame, bytes, encodeParts, best.zstdCompress, size(files.frame[0])),
      row('encode, block', best.encodeBlock, bytes, encodeParts, best.zstdCompress, size(files.block[0])),
      row('decode, frame', best.decodeFrame, bytes, decodeParts, best.zstdDecompress),
      row('decode, block', best.decodeBlock, bytes, decodeParts, best.zstdDecompress),
      row('decode, frame, reuse', best.reuseFrame, bytes, decodeParts, best.zstdDecompress),
      row('decode, block, reuse', best.reuseBlock, bytes, decodeParts, best.zstdDecompress),
      row('verify, frame', best.verifyFrame, bytes, decodeParts, best.zstdDecompress),
      row('verify, block', best.verifyBlock, bytes, decodeParts, best.zstdDecompress),
      row('merge 4 files, frame', best.mergeFrame, 2 * bytes, decodeParts),
      row('merge 4 files, block', best.mergeBlock, 2 * bytes, decodeParts),
      row('merge 4 files, block to frame', best.mergeAcross, 2 * bytes, decodeParts),
    ],
  )
  console.log(
    '\nMerge: MB/s of pages read; 2 bytes read for 1 written. Frames carry an XXH32 per page besides; it is not among the parts.',
  )
}

function table(head, rows) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((cells) => cells[column].length)))
  const line = (cells) =>
    cells.map((cell, k) => (k === 0 ? cell.padEnd(widths[k]) : cell.padStart(widths[k]))).join('  ')
  for (const cells of [head, ...rows]) console.log(line(cells))
}

/** Peak memory of a process that does one thing: see ltx-memory.mjs. */
function memory() {
  const folder = mkdtempSync(join(tmpdir(), 'bench-ltx-'))
  try {
    const sample = join(folder, 'sample.db')
    writeFileSync(sample, sampleDatabase(3_000).subarray(0, 1 << 18))
    const peak = (task, megabytes) => {
      const script = fileURLToPath(new URL('ltx-memory.mjs', import.meta.url))
      const child = spawnSync(process.execPath, [script, task, String(megabytes), sample], { encoding: 'utf8' })
      if (child.status !== 0) throw new Error(`${task} ${megabytes}: ${child.stderr}`)
      return JSON.parse(child.stdout)
    }
    const isHuge = process.argv.includes('--huge')
    const sizes = isHuge ? [10, 2_000, 100_000] : [10, 2_000]
    const tasks = ['nothing', ...['encode', 'decode', 'merge'].flatMap((task) => [task, `${task}-reuse`])]
    const rows = tasks.map((task) => {
      if (task === 'merge') for (const megabytes of sizes) peak('prepare', megabytes)
      const peaks = sizes.map((megabytes) => peak(task, megabytes))
      const own = peaks.map(({ ownMb }) => ownMb.toFixed(0))
      const difference = ((peaks[1]?.ownMb ?? 0) - (peaks[0]?.ownMb ?? 0)).toFixed(0)
      return [task, ...own, difference, ...peaks.map(({ residentMb }) => residentMb.toFixed(0))]
    })
    console.log(
      '\nPeak memory in MB for inputs of so many MB: of the process alone, and resident (with the 40 MB of program text that',
    )
    console.log('all Node processes share). merge: a snapshot of that size and 999 files of changes.')
    console.log('reuse: the memory of a chunk or page is used again for the next one.\n')
    const names = ['10 MB', '2 GB', ...(isHuge ? ['100 GB'] : [])]
    table(['', ...names, '2 GB - 10 MB', ...names.map((name) => `resident ${name}`)], rows)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

await speed()
memory()
