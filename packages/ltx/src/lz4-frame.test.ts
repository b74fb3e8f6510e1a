import { spawnSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { encodeLtx, LtxError, openLtx, verifyLtx } from './index.ts'
import { hasBinary } from './testing/binary.ts'
import { bytesOf, pagesIn, sourceOf } from './testing/files.ts'
import { contentOf } from './testing/history.ts'
import { plainLtx } from './testing/plain-ltx.ts'

const PAGE_SIZES = [512, 4096, 65536]

/** A snapshot of one page that is stored as a given LZ4 frame. */
function fileOfFrame(data: Uint8Array, frame: Uint8Array): Buffer {
  const page = { pgno: 1, data: Buffer.from(data), flags: 0, payload: Buffer.from(frame) }
  return plainLtx({ pageSize: data.length, commit: 1, minTxid: 1n, maxTxid: 1n, pages: [page] })
}

function lz4(args: readonly string[], input: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync('lz4', [...args, '-c'], { input, maxBuffer: 1 << 24 })
  if (status !== 0) throw new Error(stderr.toString())
  return stdout
}

describe.skipIf(!hasBinary('lz4'))('against the lz4 program', () => {
  test.each(PAGE_SIZES)('it decompresses our frames of %i-byte pages', async (pageSize) => {
    for (const seed of [0, 1, 2, 3]) {
      const data = contentOf(seed, pageSize)
      const info = { pageSize, commit: 1, minTxid: 1n, maxTxid: 1n, timestampMs: 0 }
      const file = await bytesOf(encodeLtx(info, [{ pgno: 1, data }], { level: 9 }))
      const { value: entry } = await (await openLtx(sourceOf(file))).entries().next()
      const frame = file.subarray(106, 100 + (entry?.size ?? 0))
      expect(new Uint8Array(lz4(['-d'], frame))).toEqual(data)
    }
  })

  test.each([
    ['as Litestream writes', ['-B4', '--no-content-size']],
    ['of larger blocks', ['-B7']],
    ['of blocks smaller than a page', ['-B4']],
    ['with linked blocks', ['-BD']],
    ['with block checksums', ['-BX']],
    ['with a content size', ['--content-size']],
    ['with everything', ['-B5', '-BD', '-BX', '--content-size']],
    ['compressed as well as it can', ['-12']],
  ])('we read its frames %s', async (_, args) => {
    for (const pageSize of PAGE_SIZES) {
      for (const seed of [0, 1, 2, 3]) {
        const data = contentOf(seed, pageSize)
        const file = fileOfFrame(data, lz4(args, data))
        expect((await pagesIn(file)).get(1)).toEqual(data)
        expect(await (await openLtx(sourceOf(file))).page(1)).toEqual(data)
      }
    }
  })

  test('a frame without a content checksum is refused, as Litestream does', async () => {
    const data = contentOf(1, 512)
    const file = fileOfFrame(data, lz4(['--no-frame-crc'], data))
    await expect(verifyLtx(file)).rejects.toMatchObject({ code: 'LTX_LZ4_INVALID', offset: 100 })
  })

  test('a frame of another size than a page is refused', async () => {
    const data = contentOf(1, 1024)
    const short = {
      pgno: 1,
      data: Buffer.from(data.subarray(0, 512)),
      flags: 0,
      payload: lz4([], data.subarray(0, 512)),
    }
    const file = plainLtx({ pageSize: 1024, commit: 1, minTxid: 1n, maxTxid: 1n, pages: [short] })
    await expect(verifyLtx(file)).rejects.toMatchObject({ code: 'LTX_LZ4_INVALID' })
    const long = { pgno: 1, data: Buffer.from(data), flags: 0, payload: lz4([], data) }
    const other = plainLtx({ pageSize: 512, commit: 1, minTxid: 1n, maxTxid: 1n, pages: [long] })
    await expect(verifyLtx(other)).rejects.toMatchObject({ code: 'LTX_LZ4_INVALID' })
  })

  test('any changed bit of a frame is noticed, also when the page is read alone', async () => {
    const data = contentOf(3, 512)
    const frame = lz4(['-BX', '--content-size'], data)
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const damaged = Buffer.from(frame)
      damaged.writeUInt8(damaged.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      const opened = await openLtx(sourceOf(fileOfFrame(data, damaged)))
      await expect(opened.page(1)).rejects.toBeInstanceOf(LtxError)
    }
  })
})

test('incompressible pages are stored, not grown', async () => {
  const data = contentOf(2, 4096)
  const info = { pageSize: 4096, commit: 1, minTxid: 1n, maxTxid: 1n, timestampMs: 0 }
  const sizeIn = async (encoding: 'frame' | 'block') => {
    const file = await openLtx(sourceOf(await bytesOf(encodeLtx(info, [{ pgno: 1, data }], { encoding, level: 9 }))))
    return (await file.entries().next()).value?.size
  }
  expect(await sizeIn('frame')).toBe(6 + 4096 + 19)
  expect(await sizeIn('block')).toBe(10 + 4096 + 18)
})
