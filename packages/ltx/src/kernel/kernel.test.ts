import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileKernel } from '../../scripts/build-kernel.mjs'
import { contentOf } from '../testing/history.ts'
import { plainCrc64 } from '../testing/plain-ltx.ts'
import { createJsKernel } from './js-kernel.ts'
import { crc64Bytes, crc64Value, defaultKernel, type LtxKernel, maxLz4BlockSize } from './kernel.ts'
import { createWasmKernel } from './wasm-kernel.ts'

const kernels: [string, LtxKernel][] = [
  ['wasm', createWasmKernel() ?? createJsKernel()],
  ['js', createJsKernel()],
]

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.tuple(fc.integer(), fc.constantFrom(512, 4096, 65536)).map(([seed, size]) => contentOf(seed >>> 0, size)),
  // Few different bytes: short periods and long matches.
  fc.array(fc.constantFrom(0, 1, 7), { maxLength: 5000 }).map((array) => Uint8Array.from(array)),
)

function crcOf(kernel: LtxKernel, data: Uint8Array): bigint {
  const crc = { lo: 0, hi: 0 }
  crc64Bytes(kernel, crc, data)
  return crc64Value(crc)
}

test('the default is WebAssembly here', () => {
  expect(defaultKernel().name).toBe('wasm')
  expect(kernels.map(([, kernel]) => kernel.name)).toEqual(['wasm', 'js'])
})

test('the committed WebAssembly is what wasm/kernel.ts compiles to', async () => {
  const committed = readFileSync(new URL('wasm-bytes.ts', import.meta.url), 'utf8')
  expect(await compileKernel()).toBe(committed)
})

describe.each(kernels)('%s kernel', (_, kernel) => {
  test.each([
    ['', 0x0000000000000000n],
    ['\0', 0x6f90000000000000n],
    ['a', 0x3420000000000000n],
    ['hello', 0x3c3eeee2d8100000n],
    ['123456789', 0xb90956c775a41001n],
  ])('the CRC-64/GO-ISO of %j', (text, crc) => {
    expect(crcOf(kernel, new TextEncoder().encode(text))).toBe(crc)
  })

  test.each([
    ['', 0x02cc5d05],
    ['a', 0x550d7456],
    ['123456789', 0x937bad67],
    ['Nobody inspects the spammish repetition', 0xe2293b2f],
  ])('the XXH32 of %j', (text, hash) => {
    const data = new TextEncoder().encode(text)
    kernel.memory.set(data, kernel.scratch)
    expect(kernel.xxh32(kernel.scratch, data.length)).toBe(hash)
  })

  test('a CRC is the same in one piece, in two, and by the plainest way', () => {
    fc.assert(
      fc.property(bytes, fc.nat(), (data, cut) => {
        const crc = { lo: 0, hi: 0 }
        const at = data.length === 0 ? 0 : cut % data.length
        crc64Bytes(kernel, crc, data.subarray(0, at))
        crc64Bytes(kernel, crc, data.subarray(at))
        expect(crc64Value(crc)).toBe(plainCrc64(data))
      }),
      { numRuns: 40 },
    )
  })

  test('a page hashed in one pass gives both checksums, whatever is before it', () => {
    for (const size of [512, 1024, 4096, 65536]) {
      for (const headerSize of [4, 6, 10]) {
        kernel.memory.set(contentOf(size + headerSize, size + 16).subarray(0, size + 16), kernel.page - 16)
        const all = kernel.memory.slice(kernel.page - headerSize, kernel.page + size)
        const crc = { lo: 5, hi: 6 }
        const plain = { lo: 5, hi: 6 }
        kernel.crc64(plain, kernel.page - headerSize, all.length)
        expect(kernel.hashPage(crc, headerSize, size)).toBe(kernel.xxh32(kernel.page, size))
        expect(crc64Value(crc)).toBe(crc64Value(plain))
      }
    }
  })

  test('what is compressed decompresses to itself, and is never larger than the bound', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        kernel.memory.set(data, kernel.page)
        const size = data.length === 0 ? 0 : kernel.compress(kernel.page, data.length, kernel.packed)
        expect(size).toBeLessThanOrEqual(maxLz4BlockSize(data.length))
        kernel.memory.fill(0xee, kernel.page, kernel.page + 65536)
        if (size === 0) return
        expect(kernel.decompress(kernel.packed, size, kernel.page, data.length, kernel.page)).toBe(data.length)
        expect(kernel.memory.slice(kernel.page, kernel.page + data.length)).toEqual(data)
      }),
      { numRuns: 200 },
    )
  })

  test('no damaged block is read past its limit, and none hangs', () => {
    const guard = 0xab
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (block) => {
        const limit = 512
        kernel.memory.fill(guard, kernel.page - 16, kernel.page + limit + 80)
        kernel.memory.set(block, kernel.packed)
        const got = kernel.decompress(kernel.packed, block.length, kernel.page, limit, kernel.page)
        expect(got).toBeGreaterThanOrEqual(-1)
        expect(got).toBeLessThanOrEqual(limit)
        expect(kernel.memory.slice(kernel.page - 16, kernel.page).every((byte) => byte === guard)).toBe(true)
        // Stores of 16 bytes may go beyond the limit, by 15 at most.
        const after = kernel.memory.slice(kernel.page + limit + 15, kernel.page + limit + 80)
        expect(after.every((byte) => byte === guard)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})

test('both kernels compress to the same bytes and agree on every damaged block', () => {
  const [wasm, js] = kernels.map(([, kernel]) => kernel)
  if (!wasm || !js) throw new Error('two kernels')
  fc.assert(
    fc.property(bytes, fc.nat(), fc.integer({ min: 0, max: 255 }), (data, place, damage) => {
      if (data.length === 0) return
      const packed = [wasm, js].map((kernel) => {
        kernel.memory.set(data, kernel.page)
        return kernel.memory.slice(
          kernel.packed,
          kernel.packed + kernel.compress(kernel.page, data.length, kernel.packed),
        )
      })
      expect(packed[0]).toEqual(packed[1])
      const block = packed[0] ?? data
      block[place % block.length] = damage
      const results = [wasm, js].map((kernel) => {
        kernel.memory.set(block, kernel.packed)
        const got = kernel.decompress(kernel.packed, block.length, kernel.page, data.length, kernel.page)
        return { got, content: kernel.memory.slice(kernel.page, kernel.page + Math.max(0, got)) }
      })
      expect(results[0]).toEqual(results[1])
    }),
    { numRuns: 300 },
  )
})
