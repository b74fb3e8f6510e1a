import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { heldChunkBytes } from '../codec/codec.ts'
import { type PackedBody, pack } from '../codec/testing-bodies.ts'
import { decodeToFile } from './decode-to-file.ts'
import { readBodyFile } from './read-body-file.ts'

const dir = mkdtempSync(join(tmpdir(), 'decode-to-file-'))
const bodyFile = join(dir, 'body.zst')
const target = join(dir, 'image')
let packed: PackedBody
beforeAll(async () => {
  // No two of its frames are alike, and more of them than may be on their way to the file at once.
  const plain = randomBytes(3 * heldChunkBytes)
  packed = await pack(plain, { frameSizeBytes: 512 * 1024, level: 1 }, 512 * 1024)
  writeFileSync(bodyFile, packed.body)
})
afterAll(() => rmSync(dir, { recursive: true }))

const options = (expected: Pick<PackedBody, 'plain' | 'stored'>) => ({
  reserveBytes: 0,
  decode: {
    compression: 'zst',
    encrypted: false,
    inFlight: 4,
    leavesPlainDigest: true,
    expect: { plain: expected.plain, stored: expected.stored },
  } as const,
})

it('puts every frame in its place while several are on their way to the file', async () => {
  const result = await decodeToFile(readBodyFile(bodyFile), target, options(packed))
  expect(result).toEqual({ plain: { sizeBytes: 3 * heldChunkBytes }, stored: packed.stored })
  expect(createHash('sha256').update(readFileSync(target)).digest('hex')).toBe(packed.plain.sha256)
  rmSync(target)
})

it('refuses a body whose last frames are missing, and leaves no file', async () => {
  const cut = packed.body.subarray(0, packed.body.length / 2)
  writeFileSync(`${bodyFile}.cut`, cut)
  const stored = { sizeBytes: cut.length, sha256: createHash('sha256').update(cut).digest('hex') }
  await expect(
    decodeToFile(readBodyFile(`${bodyFile}.cut`), target, options({ plain: packed.plain, stored })),
  ).rejects.toMatchObject({ code: 'BODY_TRUNCATED' })
  expect(existsSync(target)).toBe(false)
})

it('refuses a body with a flipped bit though its digest was left to others, and leaves no file', async () => {
  const flipped = Buffer.from(packed.body)
  const at = flipped.length - 700_000
  flipped.writeUInt8(flipped.readUInt8(at) ^ 1, at)
  const digest = { sizeBytes: flipped.length, sha256: createHash('sha256').update(flipped).digest('hex') }
  writeFileSync(`${bodyFile}.flipped`, flipped)
  // Even one whose manifest was made to fit: the frame's own checksum does not.
  await expect(
    decodeToFile(readBodyFile(`${bodyFile}.flipped`), target, options({ plain: packed.plain, stored: digest })),
  ).rejects.toMatchObject({ code: 'BODY_CORRUPT' })
  expect(existsSync(target)).toBe(false)
})
