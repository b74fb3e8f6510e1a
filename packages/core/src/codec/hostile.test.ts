import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { beforeAll, describe, expect, it } from 'vitest'
import { decodeBody } from './decode-body.ts'
import { openBody } from './open-body.ts'
import { inChunks, type KeyPair, makeKeyPair, pack, refusal, samplePlain, unpack } from './testing-bodies.ts'
import { encodeSeekTable } from './zstd-format.ts'

let keyPair: KeyPair
beforeAll(async () => {
  keyPair = await makeKeyPair()
})

/** A frame with one raw block, its header as given. */
function frame(header: readonly number[], content: Buffer): Buffer {
  const block = Buffer.alloc(3)
  block.writeUIntLE((content.length << 3) | 1, 0, 3)
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, ...header]), block, content])
}

const seekTableOf = (frames: readonly Buffer[]): Buffer =>
  encodeSeekTable(frames.map((bytes) => ({ storedBytes: bytes.length, plainBytes: 1, checksum: 0 })))

describe('a hostile zstd body', () => {
  const foreign = { foreign: true } as const

  it('that declares a huge frame is refused before anything is allocated', async () => {
    // Single segment, 8 bytes of content size: 2^50, and 2^63.
    const sizes = [
      [0xe0, 0, 0, 0, 0, 0, 0, 4, 0],
      [0xe0, 0, 0, 0, 0, 0, 0, 0, 0x80],
    ]
    const codes = await Promise.all(sizes.map((header) => refusal(frame(header, Buffer.from('x')), foreign)))
    expect(codes).toEqual(['BODY_UNSUPPORTED', 'BODY_CORRUPT'])
    const promised = { plain: { sizeBytes: 1, sha256: '' } }
    expect(await refusal(frame(sizes[0] ?? [], Buffer.from('x')), { expect: promised })).toBe('BODY_TOO_LONG')
  })

  it('that needs a window beyond 128 MiB is refused, one within it is read', async () => {
    const withWindow = (windowLog: number): Buffer => frame([0, (windowLog - 10) << 3], Buffer.from('content'))
    expect((await unpack(withWindow(27), foreign)).toString()).toBe('content')
    const beyond = withWindow(28)
    await expect(unpack(beyond, foreign)).rejects.toMatchObject({
      code: 'BODY_UNSUPPORTED',
      message: expect.stringContaining('window'),
    })
  })

  it('that needs a dictionary is refused', async () => {
    await expect(unpack(frame([0x21, 7, 1], Buffer.from('x')), foreign)).rejects.toMatchObject({
      code: 'BODY_UNSUPPORTED',
      message: expect.stringContaining('dictionary 7'),
    })
  })

  it('whose frame holds more or less than it declares is refused', async () => {
    for (const declared of [0, 1, 200]) {
      expect(await refusal(frame([0x20, declared], Buffer.from('four')), foreign)).toBe('BODY_CORRUPT')
    }
    expect(await refusal(frame([0x20, 4], Buffer.from('four')), foreign)).toBeUndefined()
  })

  it('that is padded with empty blocks is refused', async () => {
    const emptyBlocks = Buffer.alloc(300_000)
    const padded = Buffer.concat([
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, 1]),
      emptyBlocks,
      Buffer.from([9, 0, 0, 0x61]),
    ])
    expect(await refusal(padded, foreign)).toBe('BODY_CORRUPT')
  })

  it('of nothing but tiny frames is read, and a table for one of them refused', async () => {
    const one = frame([0x20, 1], Buffer.from('x'))
    const body = Buffer.alloc(one.length * 3000, one)
    expect((await unpack(body, foreign)).equals(Buffer.alloc(3000, 'x'))).toBe(true)
    expect(await refusal(Buffer.concat([body, seekTableOf([one])]), foreign)).toBe('BODY_CORRUPT')
  })

  it('whose table promises more frames than the body can hold is refused by range', async () => {
    const { body } = await pack(samplePlain(9000))
    const forged = Buffer.from(body)
    forged.writeUInt32LE(0xffff_ffff, forged.length - 9)
    const source = { sizeBytes: forged.length, read: async (start: number, end: number) => forged.subarray(start, end) }
    await expect(openBody(source, { compression: 'zst', encrypted: false })).rejects.toMatchObject({
      code: 'BODY_CORRUPT',
    })
    expect(await refusal(forged)).toBe('BODY_CORRUPT')
  })
})

describe('a bomb', () => {
  it('is stopped when the promised size is exceeded, long before it is unpacked', async () => {
    const promised = { plain: { sizeBytes: 1_000_000, sha256: '0'.repeat(64) } }
    const zeros = Buffer.alloc(64 * 1024 * 1024)
    const bombs = {
      gz: gzipSync(zeros),
      zst: zstdCompressSync(zeros, { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } }),
    }
    for (const compression of ['gz', 'zst'] as const) {
      let plainBytes = 0
      const read = async (): Promise<void> => {
        const options = { compression, encrypted: false, expect: promised }
        for await (const chunk of decodeBody(inChunks(bombs[compression], 1000), options)) plainBytes += chunk.length
      }
      await expect(read()).rejects.toMatchObject({ code: 'BODY_TOO_LONG' })
      expect(plainBytes).toBeLessThanOrEqual(1_000_000)
    }
  })
})

describe('a hostile age body', () => {
  const keys = { passphrase: 'p' }

  async function withWorkFactor(text: string): Promise<Buffer> {
    const { body } = await pack(samplePlain(100), { encryption: { passphrase: 'p', workFactor: 10 } })
    return Buffer.from(body.toString('latin1').replace(/^(-> scrypt \S+) 10$/m, `$1 ${text}`), 'latin1')
  }

  it('that asks for a huge work factor is refused without working it through', async () => {
    for (const text of ['19', '30', '63', '999']) {
      expect(await refusal(await withWorkFactor(text), { encrypted: true, keys }), text).toBe('BODY_UNSUPPORTED')
    }
    for (const text of ['0', '-1', '010', '1e3', '4294967306', '10 10']) {
      expect(await refusal(await withWorkFactor(text), { encrypted: true, keys }), text).toBe('DECRYPTION_FAILED')
    }
    const small = { ...keys, maxWorkFactor: 9 }
    await expect(unpack(await withWorkFactor('10'), { encrypted: true, keys: small })).rejects.toMatchObject({
      code: 'BODY_UNSUPPORTED',
      message: expect.stringContaining('work factor is 10'),
    })
  })

  it('that mixes a passphrase with recipients is refused, as age demands', async () => {
    const { body } = await pack(samplePlain(100), { encryption: { recipients: [keyPair.recipient] } })
    const locked = (await pack(samplePlain(100), { encryption: { passphrase: 'p', workFactor: 10 } })).body.toString(
      'latin1',
    )
    const stanza = /-> scrypt [^>]*?\n(?=---)/.exec(locked)?.[0] ?? ''
    expect(stanza).toContain('scrypt')
    const mixed = Buffer.from(body.toString('latin1').replace('\n--- ', `\n${stanza}--- `), 'latin1')
    const both = { ...keys, identities: [keyPair.identity] }
    expect(await refusal(mixed, { encrypted: true, keys: both })).toBe('DECRYPTION_FAILED')
  })

  it('whose header never ends is refused', async () => {
    const endless = Buffer.concat([Buffer.from('age-encryption.org/v1\n'), Buffer.alloc(1_000_000, '-> x y\nAAAA\n')])
    expect(await refusal(endless, { encrypted: true, keys })).toBe('DECRYPTION_FAILED')
  })

  it('that is armored, of another version or none at all is told apart', async () => {
    const told = async (text: string): Promise<string | undefined> =>
      refusal(Buffer.from(text), { encrypted: true, keys })
    expect(await told('-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n')).toBe('BODY_UNSUPPORTED')
    expect(await told('age-encryption.org/v2\n-> x\n')).toBe('BODY_UNSUPPORTED')
    expect(await told('SQLite format 3\0 and so on')).toBe('DECRYPTION_FAILED')
    expect(await told('age-encryp')).toBe('BODY_TRUNCATED')
    expect(await told('')).toBe('BODY_TRUNCATED')
  })
})

it('noise is refused by every format', async () => {
  for (const [index, compression] of (['zst', 'gz'] as const).entries()) {
    for (const sizeBytes of [1, 3, 10, 100, 10_000]) {
      const noise = Buffer.concat([Buffer.from('SQLite'), samplePlain(sizeBytes, index + sizeBytes)])
      expect(await refusal(noise, { compression })).toMatch(/^BODY_(CORRUPT|TRUNCATED)$/)
      expect(await refusal(noise, { compression, encrypted: true, keys: { passphrase: 'x' } })).toMatch(
        /^DECRYPTION_FAILED$/,
      )
    }
  }
})
