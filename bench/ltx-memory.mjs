// One process, one task, and its peak memory as JSON on stdout: node ltx-memory.mjs nothing|encode|decode|merge[-reuse] MEGABYTES SAMPLE
// (and `produce`, the snapshot on stdout, and `prepare`, the files of changes on disk, for those that read them)
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { decodeLtx, encodeLtx, formatLtxName, mergeLtx } from '@sqlite-backup/ltx'

const PAGE = 4096
const LOCK_PAGE = 0x40000000 / PAGE + 1
const changeRanges = Array.from({ length: 999 }, (_, k) => ({ minTxid: BigInt(k + 2), maxTxid: BigInt(k + 2) }))

const [name, megabytes, samplePath] = process.argv.slice(2)
/** A task with `-reuse` uses the memory of chunks and pages again. */
const [task, reuse] = [name.replace('-reuse', ''), name.endsWith('-reuse')]
const sample = readFileSync(samplePath)
const folder = join(dirname(samplePath), `changes-${megabytes}`)
const commit = Math.round((Number(megabytes) * 1e6) / PAGE)
const info = { pageSize: PAGE, commit, timestampMs: 0, wal: { offset: 32, size: 0, salt1: 1, salt2: 2 } }

/** Pages from the sample over and over, each a little different, in one buffer. */
function* pages(from, step, txid) {
  const data = Buffer.alloc(PAGE)
  for (let pgno = from; pgno <= commit; pgno += step) {
    if (pgno === LOCK_PAGE) continue
    const at = (pgno % (sample.length / PAGE)) * PAGE
    sample.copy(data, 0, at, at + PAGE)
    data.writeUInt32LE(pgno + txid, 64)
    if (pgno % 500 === 0) look()
    yield { pgno, data }
  }
}

function snapshot() {
  return encodeLtx({ ...info, minTxid: 1n, maxTxid: 1n }, pages(1, 1, 1), { reuse })
}

/** The snapshot as a stream from another process, so that its memory is not counted here. */
function snapshotOfAnother() {
  const script = fileURLToPath(import.meta.url)
  return spawn(process.execPath, [script, 'produce', megabytes, samplePath], { stdio: ['ignore', 'pipe', 'inherit'] })
    .stdout
}

/** Writes files of about 50 pages each. */
async function prepareChanges() {
  mkdirSync(folder, { recursive: true })
  const step = Math.max(1, Math.floor(commit / 50))
  for (const range of changeRanges) {
    const txid = Number(range.minTxid)
    const change = encodeLtx({ ...info, ...range }, pages(1 + (txid % step), step, txid), { prevCommit: commit })
    await writeFile(join(folder, formatLtxName(range)), change)
  }
}

/** The files as sources that are read by ranges. */
function openChanges() {
  return changeRanges.map((range) => {
    const path = join(folder, formatLtxName(range))
    const file = openSync(path)
    return {
      sizeBytes: statSync(path).size,
      read(start, end) {
        const bytes = new Uint8Array(end - start)
        return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, start))
      },
    }
  })
}

async function drain(iterable) {
  let count = 0
  for await (const _ of iterable) if (++count % 200 === 0) look()
}

/** A line of /proc/self/status in MB; nothing on systems that have no such file. */
function statusMb(name) {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : ''
  const kb = new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]
  return kb === undefined ? undefined : (Number(kb) * 1024) / 1e6
}

let ownMb = 0
/** Memory of this process alone, without the program itself, which all Node processes share. */
function look() {
  ownMb = Math.max(ownMb, statusMb('RssAnon') ?? process.memoryUsage().rss / 1e6)
}

look()
if (task === 'encode') await drain(snapshot())
else if (task === 'decode') await drain(await decodeLtx(snapshotOfAnother(), { reuse }))
else if (task === 'produce') await pipeline(snapshot(), process.stdout)
else if (task === 'prepare') await prepareChanges()
else if (task === 'merge') await drain(await mergeLtx([snapshotOfAnother(), ...openChanges()], { reuse }))
look()
// Not resourceUsage().maxRSS: on Linux it also counts the parent as it was at the fork.
const residentMb = statusMb('VmHWM') ?? process.resourceUsage().maxRSS / 1e3
if (task !== 'produce') console.log(JSON.stringify({ ownMb, residentMb }))
