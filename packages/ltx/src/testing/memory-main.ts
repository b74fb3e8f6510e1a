// One process, one task, and how many MB of memory it took at most, above what it had before: node memory-main.ts encode|decode|merge|index COUNT [FOLDER|reuse]
import { existsSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { decodeLtx, encodeLtx, type LtxPage, type LtxSource, mergeLtx } from '../index.ts'
import { createPageSizes } from '../page-sizes.ts'

const PAGE_SIZE = 4096
const [task = '', countText = '0', folder = ''] = process.argv.slice(2)
const count = Number(countText)

/** Memory that is this process's own: without the program itself, which all Node processes share. In MB. */
function ownMemoryMb(): number {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : ''
  const ownKb = /^RssAnon:\s+(\d+)/m.exec(status)?.[1]
  return ownKb === undefined ? process.memoryUsage().rss / 1e6 : (Number(ownKb) * 1024) / 1e6
}

// After the imports: Node's TypeScript stripping alone takes 25 MB.
const startMb = ownMemoryMb()
let peakMb = startMb
const look = () => {
  peakMb = Math.max(peakMb, ownMemoryMb())
}

function* pages(): Generator<LtxPage, void, undefined> {
  const data = new Uint8Array(PAGE_SIZE)
  for (let at = 0; at < PAGE_SIZE; at++) data[at] = (at * at) >> 5
  const view = new DataView(data.buffer)
  for (let pgno = 1; pgno <= count; pgno++) {
    view.setUint32(0, pgno)
    view.setUint32(2000, Math.imul(pgno, 0x9e3779b1))
    if (pgno % 500 === 0) look()
    yield { pgno, data }
  }
}

const reuse = folder === 'reuse'

function snapshot(): AsyncIterable<Uint8Array> {
  const info = { pageSize: PAGE_SIZE, commit: count, minTxid: 1n, maxTxid: 2n, timestampMs: 0 }
  return encodeLtx(info, pages(), { reuse })
}

function source(path: string): LtxSource {
  const file = openSync(path, 'r')
  return {
    sizeBytes: statSync(path).size,
    read(start, end) {
      const bytes = new Uint8Array(end - start)
      return bytes.subarray(0, readSync(file, bytes, 0, bytes.length, start))
    },
  }
}

async function drain(iterable: AsyncIterable<unknown>): Promise<void> {
  let n = 0
  for await (const _ of iterable) if (++n % 200 === 0) look()
}

if (task === 'encode') await drain(snapshot())
else if (task === 'decode') await drain(await decodeLtx(snapshot(), { reuse }))
else if (task === 'merge') {
  const names = readdirSync(folder).sort()
  await drain(await mergeLtx(names.map((name) => source(join(folder, name)))))
} else if (task === 'index') {
  const sizes = createPageSizes()
  let seed = 1
  for (let pgno = 1; pgno <= count; pgno++) {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    sizes.add(pgno, 100 + ((seed >>> 8) % 4000))
    if (pgno % 100_000 === 0) look()
  }
  let last = 0
  for (const { pgno } of sizes.entries()) last = pgno
  if (last !== count) throw new Error(`The last page is ${last}.`)
} else throw new Error(`No task "${task}".`)
look()
console.log(peakMb - startMb)
