import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { fromHex } from './testing/files.ts'

const cli = fileURLToPath(new URL('cli.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'ltx-cli-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const vectors = JSON.parse(readFileSync(new URL('../golden/vectors.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>

function write(name: string, bytes: Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, bytes)
  return path
}

function ltx(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', cli, ...args],
    { encoding: 'utf8' },
  )
  return { code: status, out: stdout, err: stderr }
}

const g1 = fromHex(vectors.G1_litestream_vfs_0_5_17 ?? '')
const sound = write('0000000000000001-0000000000000001.ltx', g1)
const misnamed = write('0000000000000002-0000000000000002.ltx', g1)
const cut = write('cut.ltx', g1.subarray(0, 300))
const checksummed = write('checksummed.ltx', fromHex(vectors.V4_checksummed_block ?? ''))
const change = write('change.ltx', fromHex(vectors.V3_zero_pages ?? ''))

test('dump prints header, pages and checks', () => {
  expect(ltx('dump', sound)).toEqual({
    code: 0,
    err: '',
    out: `page size      4096
commit         2 pages, 8192 bytes
TXID           0000000000000001 to 0000000000000001 (1, a snapshot)
timestamp      2026-11-21T00:08:42.124Z
pre-apply      none (NoChecksum)
WAL            none

      page         offset    size  encoding
         1            100     163  block
         2            263      64  block

pages          2
file size      366 bytes
post-apply     none
file checksum  bbcae12df8d3ad88, as computed
checks         header, page order, every page, page index, checksums: ok
`,
  })
})

test('dump shows checksums and WAL fields where there are any, and leaves out pages when asked to', () => {
  expect(ltx('dump', '--no-pages', checksummed).out).toMatch(/^post-apply {5}e1899b6d587aaaaa$/m)
  const { out } = ltx('dump', '--no-pages', change)
  expect(out).toMatch(/^WAL {12}offset 32, size 0, salts 11111111 22222222$/m)
  expect(out).not.toMatch(/encoding/)
})

test('dump of a damaged file prints what can be read, then code, place, rule and hint', () => {
  const { code, out, err } = ltx('dump', cut)
  expect(code).toBe(1)
  expect(out).toMatch(/ 1 {12}100 {5}163 {2}block/)
  expect(err).toMatch(/cut\.ltx: LTX_TRUNCATED at byte 300: .*\n {2}rule: .*\n {2}hint: /)
})

test('verify says ok per file, and fails if one is not sound, misnamed or not there', () => {
  expect(ltx('verify', sound, checksummed)).toEqual({
    code: 0,
    err: '',
    out: `${sound}: ok, 2 pages, 366 bytes, file checksum bbcae12df8d3ad88
${checksummed}: ok, 2 pages, 185 bytes, file checksum f2f5bf19c408f15a
`,
  })
  const { code, out, err } = ltx('verify', misnamed, join(folder, 'nowhere.ltx'), cut, sound)
  expect(code).toBe(1)
  expect(out).toMatch(/0000000000000001\.ltx: ok/)
  expect(err).toMatch(/LTX_NAME_MISMATCH/)
  expect(err).toMatch(/nowhere\.ltx: ENOENT/)
  expect(err).toMatch(/LTX_TRUNCATED/)
})

test('verify --json prints one line per file', () => {
  const { code, out, err } = ltx('verify', '--json', sound, cut, join(folder, 'nowhere.ltx'))
  expect({ code, err }).toEqual({ code: 1, err: '' })
  const [good, bad, missing] = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(good).toMatchObject({ ok: true, minTxid: '0000000000000001', pageCount: 2, fileChecksum: 'bbcae12df8d3ad88' })
  expect(bad).toMatchObject({ path: cut, ok: false, code: 'LTX_TRUNCATED', offset: 300 })
  expect(missing).toMatchObject({ ok: false, code: 'ENOENT' })
})

test('a pipe that is closed early is no error', () => {
  const { status, stderr } = spawnSync(
    'sh',
    ['-c', `"${process.execPath}" --disable-warning=ExperimentalWarning "${cli}" dump "${sound}" | true`],
    {
      encoding: 'utf8',
    },
  )
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
})

test('the package has one bin, so that npx finds it by the name of the package', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  expect(Object.keys(manifest.bin)).toHaveLength(1)
})
