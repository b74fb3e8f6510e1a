// One process, one task, and its peak memory in MB on stdout: node ltx-memory.mjs nothing|encode|decode|prepare|merge MEGABYTES SAMPLE
import { existsSync, mkdirSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { decodeLtx, encodeLtx, formatLtxName, mergeLtx } from '@sqlite-backup/ltx'

const PAGE = 4096
const LOCK_PAGE = 0x40000000 / PAGE + 1
const changeRanges = Array.from({ length: 999 }, (_, k) => ({ minTxid: BigInt(k + 2), maxTxid: BigInt(k + 2) }))

const [task, megabytes, samplePath] = process.argv.slice(2)
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
    yield { pgno, data }
  }
}

function snapshot() {
  return encodeLtx({ ...info, minTxid: 1n, maxTxid: 1n }, pages(1, 1, 1))
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
  for await (const _ of iterable);
}

if (task === 'encode') await drain(snapshot())
else if (task === 'decode') await drain(await decodeLtx(snapshot()))
else if (task === 'prepare') await prepareChanges()
else if (task === 'merge') await drain(await mergeLtx([snapshot(), ...openChanges()]))
// Not resourceUsage().maxRSS: on Linux it also counts the parent as it was at the fork.
const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : ''
const peakKb = Number(/^VmHWM:\s+(\d+)/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS)
console.log((peakKb * 1024) / 1e6)
