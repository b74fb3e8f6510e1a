import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Part } from './body-parts.ts'
import { sendPart } from './send-part.ts'

const options = { storesSha256: false }
const chunk = Buffer.alloc(100_000, 'x')

function partOf(source: () => AsyncGenerator<Uint8Array, void, void>): Part {
  return { index: 0, start: 0, sizeBytes: 3 * chunk.length, sha256: createHash('sha256').digest(), stream: source }
}

async function* whole() {
  for (let i = 0; i < 3; i++) yield chunk
}

test('a request that gives up in the middle says why, and the source is closed', async () => {
  let isClosed = false
  const part = partOf(async function* () {
    try {
      yield* whole()
    } finally {
      isClosed = true
    }
  })
  const sent = sendPart(part, options, async ({ Body }) => {
    for await (const _ of Body) break
    // The stream is destroyed by now, and its generator has heard of it.
    await nextTurn()
    throw new Error('The connection was reset.')
  })
  await expect(sent).rejects.toThrow('The connection was reset.')
  expect(isClosed).toBe(true)
})

test('a source that fails is what is told, whatever becomes of the request', async () => {
  const part = partOf(async function* () {
    yield chunk
    throw new Error('The disk is gone.')
  })
  const sent = sendPart(part, options, async ({ Body }) => {
    await Body.forEach(() => {}).catch(() => {})
    throw new Error('The connection was reset.')
  })
  await expect(sent).rejects.toMatchObject({
    code: 'SPOOL_FAILED',
    message: expect.stringContaining('The disk is gone'),
  })
})

test('progress follows what was taken', async () => {
  const seen: number[] = []
  const onProgress = (sentBytes: number) => seen.push(sentBytes)
  await sendPart(partOf(whole), { ...options, onProgress }, ({ Body }) => Body.forEach(() => {}))
  expect(seen).toEqual([0, 100_000, 200_000, 300_000])
})
