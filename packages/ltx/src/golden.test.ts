import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { encodeLtx, mergeLtx, verifyLtx } from './index.ts'
import { bytesOf, fromHex, pagesIn, toHex } from './testing/files.ts'
import { contentOf } from './testing/history.ts'

// Files that were written once and must come out the same forever: golden/*.hex, 32 bytes a line.
//   npx vitest run packages/ltx/src/golden.test.ts -u     writes them anew; look at the difference before you commit it.

const golden = (name: string) => `../golden/${name}.hex`
const inLines = (bytes: Uint8Array) => toHex(bytes).replace(/.{1,64}/g, '$&\n')

const wal = { offset: 32, size: 3 * 536, salt1: 0x01020304, salt2: 0xfffefdfc }
const first = { pageSize: 512, commit: 5, minTxid: 1n, maxTxid: 1n, timestampMs: 1_790_000_000_123, wal }
const second = { ...first, commit: 6, minTxid: 2n, maxTxid: 2n, timestampMs: 1_790_000_001_456 }
const third = { ...first, commit: 4, minTxid: 3n, maxTxid: 3n, timestampMs: 1_790_000_002_789 }
const pages = (seed: number, ...pgnos: number[]) => pgnos.map((pgno) => ({ pgno, data: contentOf(seed + pgno, 512) }))

async function filesIn(encoding: 'frame' | 'block'): Promise<Uint8Array[]> {
  return Promise.all([
    bytesOf(encodeLtx(first, pages(0, 1, 2, 3, 4, 5), { encoding })),
    bytesOf(encodeLtx(second, pages(10, 3, 6), { encoding, prevCommit: 5 })),
    bytesOf(encodeLtx(third, [], { encoding, prevCommit: 6 })),
  ])
}

test.each(['frame', 'block'] as const)('files in %s encoding, and their merge, are those of old', async (encoding) => {
  const files = await filesIn(encoding)
  const merged = await bytesOf(await mergeLtx(files, { encoding }))
  const names = ['snapshot', 'growth', 'shrink', 'merged']
  for (const [index, bytes] of [...files, merged].entries()) {
    await expect(inLines(bytes)).toMatchFileSnapshot(golden(`${encoding}-${names[index]}`))
  }
})

test('the files of old can still be read', async () => {
  const folder = new URL('../golden/', import.meta.url)
  const names = readdirSync(folder).filter((name) => /^(frame|block)-.*\.hex$/.test(name))
  expect(names).toHaveLength(8)
  const read = (name: string) => fromHex(readFileSync(new URL(name, folder), 'utf8'))
  for (const name of names) await verifyLtx(read(name))
  for (const encoding of ['frame', 'block']) {
    const content = new Map([...pages(0, 1, 2), ...pages(10, 3), ...pages(0, 4)].map(({ pgno, data }) => [pgno, data]))
    expect(await pagesIn(read(`${encoding}-merged.hex`))).toEqual(content)
  }
})

test('files that Litestream 0.5.17 wrote hold what its own extension read from them', async () => {
  interface Written {
    readonly name: string
    readonly hex: string
    readonly pages: Record<string, string>
  }
  const files = JSON.parse(readFileSync(new URL('../golden/litestream.json', import.meta.url), 'utf8')) as Written[]
  for (const { name, hex, pages: hashes } of files) {
    const bytes = fromHex(hex)
    expect(await verifyLtx(bytes, { name })).toMatchObject({ sizeBytes: bytes.length, postApplyChecksum: 0n })
    const hashed = [...(await pagesIn(bytes))].map(([pgno, data]) => [
      pgno,
      createHash('sha256').update(data).digest('hex'),
    ])
    expect(Object.fromEntries(hashed)).toEqual(hashes)
  }
})
