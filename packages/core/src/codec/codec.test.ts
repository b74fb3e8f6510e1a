import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import type { EncodeOptions } from './codec.ts'
import { createEncoder } from './create-encoder.ts'
import { decodeBody } from './decode-body.ts'

const options: EncodeOptions = {
  compression: 'zst',
  level: 1,
  frameSizeBytes: 65536,
  inFlight: 2,
  pieceSizeBytes: 100_000,
}
const plain = Buffer.concat([Buffer.alloc(300_000, 'a page of a database '), randomBytes(200_000), Buffer.alloc(7)])
async function encode(input: Buffer, o: EncodeOptions) {
  const parts: Uint8Array[] = []
  const pieces: string[] = []
  const encoder = await createEncoder(o, {
    async write(c) {
      parts.push(Buffer.from(c))
    },
    onPiece(i, s) {
      pieces[i] = Buffer.from(s).toString('hex')
    },
  })
  for (let at = 0; at < input.length; at += 70_001) await encoder.write(input.subarray(at, at + 70_001))
  const result = await encoder.end()
  return { body: Buffer.concat(parts), result, pieces }
}
async function decode(body: Buffer, o: Parameters<typeof decodeBody>[1]) {
  const parts: Uint8Array[] = []
  for await (const c of decodeBody(
    (async function* () {
      for (let at = 0; at < body.length; at += 9973) yield body.subarray(at, at + 9973)
    })(),
    o,
  ))
    parts.push(c)
  return Buffer.concat(parts)
}
for (const compression of ['zst', 'gz', 'none'] as const)
  for (const input of [plain, Buffer.alloc(0), plain.subarray(0, 65536)]) {
    test(`${compression} of ${input.length} bytes`, async () => {
      const { body, result } = await encode(input, { ...options, compression })
      expect((await decode(body, { compression, encrypted: false })).equals(input)).toBe(true)
      expect((await decode(body, { compression, encrypted: false, expect: result })).equals(input)).toBe(true)
      if (compression === 'zst') expect(execFileSync('zstd', ['-d', '-c'], { input: body }).equals(input)).toBe(true)
      if (compression === 'gz') {
        expect(gunzipSync(body).equals(input)).toBe(true)
        expect(execFileSync('gunzip', ['-c'], { input: body }).equals(input)).toBe(true)
      }
      if (input.length)
        await expect(
          decode(body.subarray(0, -1), { compression, encrypted: false, expect: result }),
        ).rejects.toMatchObject({ code: 'BODY_TRUNCATED' })
      await expect(
        decode(Buffer.concat([body, Buffer.alloc(1)]), { compression, encrypted: false, expect: result }),
      ).rejects.toMatchObject({ code: 'BODY_TOO_LONG' })
    })
  }
