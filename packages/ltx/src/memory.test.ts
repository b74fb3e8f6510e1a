import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { encodeLtx, formatLtxName } from './index.ts'
import { bytesOf } from './testing/files.ts'
import { contentOf } from './testing/history.ts'

const main = fileURLToPath(new URL('testing/memory-main.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ltx-memory-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The most memory that a process took for a task, in MB, on top of the 15 MB of an idle Node. */
function peakMb(...args: string[]): number {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return Number(stdout)
}

const PAGES_OF_10_MB = '2441'
const PAGES_OF_500_MB = '122070'

// bench/ltx.mjs prints the figures.

test.each(['encode', 'decode'])('to %s 500 MB takes no more memory than 10 MB', (task) => {
  const small = peakMb(task, PAGES_OF_10_MB, 'reuse')
  const large = peakMb(task, PAGES_OF_500_MB, 'reuse')
  expect(large - small).toBeLessThan(20)
  expect(large).toBeLessThan(50)
  // Without `reuse` there is garbage, and how soon it is collected depends on the machine: V8 lets up to 64 MB of it pile up. What
  // grew with the input would be far beyond this bound.
  expect(peakMb(task, PAGES_OF_500_MB)).toBeLessThan(150)
})

test('the index of a 100 GB snapshot is remembered in 40 MB, even if no two pages compress alike', () => {
  expect(peakMb('index', '24414062')).toBeLessThan(55)
})

test('a thousand files are merged in 100 MB', async () => {
  const commit = 2000
  const wal = { offset: 32, size: 0, salt1: 1, salt2: 2 }
  for (let txid = 1; txid <= 1000; txid++) {
    const range = { minTxid: BigInt(txid), maxTxid: BigInt(txid) }
    const pgnos = Array.from({ length: commit }, (_, k) => k + 1).filter(
      (pgno) => txid === 1 || (pgno * 7 + txid) % 40 === 0,
    )
    const pages = pgnos.map((pgno) => ({ pgno, data: contentOf((pgno % 50) * 4 + (txid % 4), 4096) }))
    const file = encodeLtx({ pageSize: 4096, commit, ...range, timestampMs: 0, wal }, pages, { prevCommit: commit })
    writeFileSync(join(folder, formatLtxName(range)), await bytesOf(file))
  }
  expect(peakMb('merge', '0', folder)).toBeLessThan(100)
})
