import { describe, expect, it } from 'vitest'
import { pack, samplePlain } from './testing-bodies.ts'
import { encodeSeekTable, measureFrame, parseFrameHeader, parseSeekTableFooter } from './zstd-format.ts'

describe('the seek table', () => {
  it('is, byte for byte, what the seekable format asks for', () => {
    const table = encodeSeekTable([
      { storedBytes: 0x0102, plainBytes: 0x400000, checksum: 0xdeadbeef },
      { storedBytes: 5, plainBytes: 6, checksum: 7 },
    ])
    const bytes = [
      '5e2a4d18', // magic number of a skippable frame
      '21000000', // 33 bytes follow
      '02010000 00004000 efbeadde',
      '05000000 06000000 07000000',
      '02000000', // frames
      '80', // with checksums
      'b1ea928f', // magic number of the seekable format
    ]
    expect(table.toString('hex')).toBe(bytes.join('').replaceAll(' ', ''))
    expect(parseSeekTableFooter(table.subarray(-9))).toEqual({
      frameCount: 2,
      hasChecksums: true,
      tableBytes: table.length,
    })
  })

  it('is not seen in other bytes, nor with reserved bits set', () => {
    expect(parseSeekTableFooter(Buffer.alloc(9))).toBeUndefined()
    const footer = encodeSeekTable([]).subarray(-9)
    expect(parseSeekTableFooter(footer)?.frameCount).toBe(0)
    for (let bit = 0; bit < 7; bit += 1) {
      const changed = Buffer.from(footer)
      changed.writeUInt8(0x80 | (1 << bit), 4)
      expect(parseSeekTableFooter(changed)).toBeUndefined()
    }
  })
})

describe('a frame of ours', () => {
  it('declares its plain size and its checksum, and is followed by the next', async () => {
    const { body } = await pack(samplePlain(10_000), { frameSizeBytes: 4096 })
    const sizes: (number | undefined)[] = []
    let rest = body
    for (let size = measureFrame(rest); size !== undefined; size = measureFrame(rest)) {
      const header = parseFrameHeader(rest)
      if ('fault' in header) throw new Error(header.fault)
      expect(header).toMatchObject({ hasChecksum: true, dictionaryId: 0 })
      sizes.push(header.contentBytes)
      rest = rest.subarray(size)
    }
    expect(sizes).toEqual([4096, 4096, 1808])
    expect(rest.length).toBe(8 + 3 * 12 + 9)
  })

  it('is not measured when it is cut', async () => {
    const { body } = await pack(samplePlain(3000), { frameSizeBytes: 4096 })
    const size = measureFrame(body) ?? 0
    expect(size).toBeGreaterThan(100)
    for (let cut = 0; cut < size; cut += 1) expect(measureFrame(body.subarray(0, cut))).toBeUndefined()
  })
})
