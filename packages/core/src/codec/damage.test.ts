import { beforeAll, describe, expect, it } from 'vitest'
import type { Compression, DecodeOptions } from './codec.ts'
import { openBody } from './open-body.ts'
import { type KeyPair, makeKeyPair, type PackedBody, pack, refusal, samplePlain, unpack } from './testing-bodies.ts'
import { encodeSeekTable, measureFrame } from './zstd-format.ts'

const plain = samplePlain(9000)
const formats = ['zst', 'gz', 'none'] as const
const refusals =
  /^(BODY_TRUNCATED|BODY_TOO_LONG|BODY_CORRUPT|BODY_DIGEST_MISMATCH|BODY_UNSUPPORTED|DECRYPTION_FAILED|IDENTITY_MISSING)$/

let keyPair: KeyPair
const bodies = new Map<Compression, PackedBody>()
const lockedBodies = new Map<Compression, PackedBody>()

beforeAll(async () => {
  keyPair = await makeKeyPair()
  for (const compression of formats) {
    bodies.set(compression, await pack(plain, { compression, frameSizeBytes: 2048 }))
    lockedBodies.set(
      compression,
      await pack(plain, { compression, frameSizeBytes: 2048, encryption: { recipients: [keyPair.recipient] } }),
    )
  }
})

interface Specimen {
  readonly packed: PackedBody
  /** How to read it without a manifest, and with one. */
  readonly bare: DecodeOptions
  readonly held: DecodeOptions
}

function specimen(compression: Compression, isLocked = false): Specimen {
  const packed = (isLocked ? lockedBodies : bodies).get(compression)
  if (packed === undefined) throw new Error('not packed yet')
  const keys = { identities: [keyPair.identity] }
  const bare: DecodeOptions = isLocked ? { compression, encrypted: true, keys } : { compression, encrypted: false }
  return { packed, bare, held: { ...bare, expect: { plain: packed.plain, stored: packed.stored } } }
}

function flipped(body: Buffer, bit: number): Buffer {
  const changed = Buffer.from(body)
  changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
  return changed
}

/** Several bits of each byte where structure lies (headers, trailer, seek table), one of the others. */
function* bitsToFlip(body: Buffer, isLocked: boolean): Generator<number> {
  for (let at = 0; at < body.length; at += 1) {
    const isStructure = at < (isLocked ? 230 : 30) || at > body.length - 90
    if (isLocked && !isStructure && at % 9 !== 0) continue
    for (let bit = at % 3; bit < 8; bit += isStructure ? 3 : 8) yield at * 8 + bit
  }
}

/** The frames of a seekable body, and the table behind them. */
function dissect(body: Buffer): { readonly frames: readonly Buffer[]; readonly table: Buffer } {
  const frames: Buffer[] = []
  let rest = body
  for (let size = measureFrame(rest); size !== undefined; size = measureFrame(rest)) {
    frames.push(rest.subarray(0, size))
    rest = rest.subarray(size)
  }
  return { frames, table: rest }
}

const swap = (parts: readonly Buffer[], a: number, b: number): Buffer[] =>
  parts.map((part, index) => (index === a ? parts[b] : index === b ? parts[a] : part) ?? part)

describe.each(formats)('a %s body', (compression) => {
  it('cut anywhere is refused as truncated', async () => {
    for (const isLocked of [false, true]) {
      const { packed, bare, held } = specimen(compression, isLocked)
      const step = isLocked ? 97 : 31
      for (let size = 0; size < packed.body.length; size += size < 400 || size > packed.body.length - 200 ? 1 : step) {
        expect(await refusal(packed.body.subarray(0, size), held), `${size} bytes`).toBe('BODY_TRUNCATED')
        if (compression === 'none' && !isLocked) continue
        const code = await refusal(packed.body.subarray(0, size), bare)
        if (isLocked) expect(code, `${size} bytes`).toMatch(/^(BODY_TRUNCATED|DECRYPTION_FAILED)$/)
        else expect(code, `${size} bytes`).toBe('BODY_TRUNCATED')
      }
    }
  })

  it('with anything behind its end is refused', async () => {
    for (const isLocked of [false, true]) {
      const { packed, bare, held } = specimen(compression, isLocked)
      const more = [Buffer.alloc(1), Buffer.alloc(70_000), Buffer.from('x'), samplePlain(300), packed.body]
      for (const tail of more) {
        const longer = Buffer.concat([packed.body, tail])
        expect(await refusal(longer, held)).toBe('BODY_TOO_LONG')
        if (compression === 'none' && !isLocked) continue
        expect(await refusal(longer, bare)).toMatch(refusals)
      }
    }
  })

  it('with any one bit changed is refused; without a manifest it may at most give the same image', async () => {
    for (const isLocked of [false, true]) {
      const { packed, bare, held } = specimen(compression, isLocked)
      for (const bit of bitsToFlip(packed.body, isLocked)) {
        const changed = flipped(packed.body, bit)
        const where = `byte ${bit >> 3}, bit ${bit & 7}`
        if (bit % 11 === 0 || compression === 'none') expect(await refusal(changed, held), where).toMatch(refusals)
        if (compression === 'none' && !isLocked) continue
        const code = await refusal(changed, bare)
        if (code !== undefined || isLocked) expect(code, where).toMatch(refusals)
        else {
          // Some bits mean nothing to the decoder (padding, the time in gzip's header): only the digest of the body sees them.
          expect((await unpack(changed, bare)).equals(plain), where).toBe(true)
          expect(await refusal(changed, held), where).toBe('BODY_DIGEST_MISMATCH')
        }
      }
    }
  })

  it('of another image is refused by its digests', async () => {
    const { held } = specimen(compression)
    const other = await pack(samplePlain(9000, 2), { compression, frameSizeBytes: 2048 })
    expect(await refusal(other.body, held)).toMatch(/^BODY_(DIGEST_MISMATCH|TOO_LONG|TRUNCATED)$/)
    const sameStored = {
      compression,
      encrypted: false,
      expect: { plain: bodies.get(compression)?.plain, stored: other.stored },
    }
    expect(await refusal(other.body, sameStored as DecodeOptions)).toBe('BODY_DIGEST_MISMATCH')
  })

  it('is refused when image or body are shorter or longer than promised', async () => {
    const { packed, bare } = specimen(compression)
    const change = (by: number): { readonly sizeBytes: number; readonly sha256: string } => ({
      ...packed.plain,
      sizeBytes: packed.plain.sizeBytes + by,
    })
    expect(await refusal(packed.body, { ...bare, expect: { plain: change(1) } })).toBe('BODY_TRUNCATED')
    expect(await refusal(packed.body, { ...bare, expect: { plain: change(-1) } })).toBe('BODY_TOO_LONG')
    const wrongDigest = { sizeBytes: packed.body.length, sha256: '0'.repeat(64) }
    expect(await refusal(packed.body, { ...bare, expect: { stored: wrongDigest } })).toBe('BODY_DIGEST_MISMATCH')
  })
})

describe('a seekable body whose frames were moved', () => {
  it('is refused without any manifest', async () => {
    const { packed, bare } = specimen('zst')
    const { frames, table } = dissect(packed.body)
    expect(frames.length).toBe(5)
    const [first = Buffer.alloc(0)] = frames
    const other = dissect((await pack(samplePlain(9000, 3), { frameSizeBytes: 2048 })).body)
    const spliced = {
      swapped: [...swap(frames, 0, 2), table],
      duplicated: [first, ...frames, table],
      removed: [...frames.slice(1), table],
      'replaced by one of another body': [...frames.slice(0, -1), other.frames.at(-1) ?? first, table],
      'given the table of another body': [...frames, other.table],
      'joined with another body, one table': [...frames, ...other.frames, other.table],
      'joined with another body, both tables': [...frames, table, ...other.frames, other.table],
    }
    for (const [how, parts] of Object.entries(spliced)) {
      expect(await refusal(Buffer.concat(parts), bare), how).toMatch(/^BODY_(CORRUPT|TOO_LONG)$/)
    }
  })

  it('is refused by the digest of the image when the table was made to fit', async () => {
    const { packed, held, bare } = specimen('zst')
    const frames = swap(dissect(packed.body).frames, 0, 2)
    const entries = frames.map((frame) => ({
      storedBytes: frame.length,
      plainBytes: 2048,
      checksum: frame.readUInt32LE(frame.length - 4),
    }))
    const last = entries.pop()
    if (last === undefined) throw new Error('no frames')
    const forged = Buffer.concat([...frames, encodeSeekTable([...entries, { ...last, plainBytes: 9000 - 4 * 2048 }])])
    expect(await refusal(forged, bare)).toBeUndefined()
    expect(await refusal(forged, { ...held, expect: { plain: packed.plain } })).toBe('BODY_DIGEST_MISMATCH')
  })

  it('is refused when a part is read by range', async () => {
    const { packed, bare } = specimen('zst')
    const { frames, table } = dissect(packed.body)
    const open = (parts: readonly Buffer[]): Promise<unknown> => {
      const body = Buffer.concat(parts)
      const source = { sizeBytes: body.length, read: async (start: number, end: number) => body.subarray(start, end) }
      return openBody(source, bare).then((image) => image.read(0, 9000))
    }
    await expect(open([...frames, table])).resolves.toEqual(plain)
    for (const parts of [
      [...swap(frames, 0, 2), table],
      [...frames.slice(1), table],
      [...frames, table, Buffer.alloc(1)],
    ]) {
      await expect(open(parts)).rejects.toMatchObject({ code: expect.stringMatching(/^BODY_(CORRUPT|TRUNCATED)$/) })
    }
  })
})

describe('an age body', () => {
  const sealed = 65_552

  async function chunked(): Promise<{
    readonly header: Buffer
    readonly chunks: readonly Buffer[]
    readonly bare: DecodeOptions
  }> {
    const { body } = await pack(samplePlain(200_000), {
      compression: 'none',
      encryption: { recipients: [keyPair.recipient] },
    })
    const start = body.indexOf('\n', body.indexOf('\n--- ') + 1) + 1 + 16
    const chunks: Buffer[] = []
    for (let at = start; at < body.length; at += sealed) chunks.push(body.subarray(at, at + sealed))
    return {
      header: body.subarray(0, start),
      chunks,
      bare: { compression: 'none', encrypted: true, keys: { identities: [keyPair.identity] } },
    }
  }

  it('whose chunks were moved, dropped, doubled or taken from another body is refused', async () => {
    const { header, chunks, bare } = await chunked()
    const other = await chunked()
    expect(chunks.length).toBe(4)
    const join = (parts: readonly Buffer[]): Promise<string | undefined> =>
      refusal(Buffer.concat([header, ...parts]), bare)
    expect(await join(chunks)).toBeUndefined()
    expect(await join(swap(chunks, 0, 1))).toBe('DECRYPTION_FAILED')
    expect(await join(chunks.slice(1))).toBe('DECRYPTION_FAILED')
    expect(await join([...chunks.slice(0, 1), ...chunks])).toBe('DECRYPTION_FAILED')
    expect(await join([...chunks.slice(0, 3), ...other.chunks.slice(3)])).toBe('DECRYPTION_FAILED')
    expect(await refusal(Buffer.concat([other.header, ...chunks]), bare)).toBe('DECRYPTION_FAILED')
    expect(await join(chunks.slice(0, 3))).toBe('BODY_TRUNCATED')
    expect(await join(chunks.slice(0, 1))).toBe('BODY_TRUNCATED')
    expect(await join([])).toBe('BODY_TRUNCATED')
  })

  it('says whether the key is missing, wrong, or the header damaged', async () => {
    const { packed } = specimen('zst', true)
    const encrypted = { compression: 'zst', encrypted: true } as const
    const stranger = await makeKeyPair()
    expect(await refusal(packed.body, encrypted)).toBe('IDENTITY_MISSING')
    expect(await refusal(packed.body, { ...encrypted, keys: { passphrase: 'x' } })).toBe('IDENTITY_MISSING')
    expect(await refusal(packed.body, { ...encrypted, keys: { identities: [stranger.identity] } })).toBe(
      'IDENTITY_MISSING',
    )
    const both = { identities: [stranger.identity, keyPair.identity], passphrase: 'x' }
    expect(await refusal(packed.body, { ...encrypted, keys: both })).toBeUndefined()

    const locked = await pack(plain, { encryption: { passphrase: 'right', workFactor: 10 } })
    expect(await refusal(locked.body, { ...encrypted, keys: { identities: [keyPair.identity] } })).toBe(
      'IDENTITY_MISSING',
    )
    expect(await refusal(locked.body, { ...encrypted, keys: { passphrase: 'wrong' } })).toBe('DECRYPTION_FAILED')

    const macAt = packed.body.indexOf('\n--- ') + 8
    const badMac = unpack(flipped(packed.body, macAt * 8), { ...encrypted, keys: both })
    await expect(badMac).rejects.toMatchObject({
      code: 'DECRYPTION_FAILED',
      message: expect.stringContaining('header'),
    })
  })

  it('never repeats a secret in an error', async () => {
    const { packed } = specimen('zst', true)
    const secrets = [
      keyPair.identity.slice(0, -1),
      `${keyPair.identity.slice(0, -1)}B`,
      keyPair.identity.toLowerCase(),
      'hunter2-hunter2',
    ]
    for (const secret of secrets) {
      const failure = await unpack(packed.body, { encrypted: true, keys: { identities: [secret] } }).catch(
        (error: unknown) => error,
      )
      expect(failure).toMatchObject({ code: 'CONFIG_INVALID' })
      const told = JSON.stringify(failure) + String(failure) + String((failure as Error).stack)
      expect(told.toLowerCase()).not.toContain(secret.slice(-12).toLowerCase())
    }
  })

  it('cut, extended or changed is refused when read by range', async () => {
    const { header, chunks, bare } = await chunked()
    const open = (parts: readonly Buffer[]): Promise<unknown> => {
      const body = Buffer.concat([header, ...parts])
      const source = { sizeBytes: body.length, read: async (start: number, end: number) => body.subarray(start, end) }
      return openBody(source, bare).then((image) => image.read(0, 1))
    }
    await expect(open(chunks)).resolves.toHaveLength(1)
    const cases = {
      cut: chunks.slice(0, 3),
      extended: [...chunks, Buffer.alloc(sealed)],
      short: [...chunks, Buffer.alloc(3)],
      moved: swap(chunks, 0, 1),
    }
    for (const [how, parts] of Object.entries(cases)) {
      await expect(open(parts), how).rejects.toMatchObject({ code: expect.stringMatching(refusals) })
    }
  })
})
