import { appendFile, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BackupError } from '../errors.ts'
import { growingBody } from './growing-body.ts'

async function spoolFile(): Promise<string> {
  return join(await mkdtemp(join(tmpdir(), 'growing-')), 'body')
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

test('a reader that is ahead of the writer waits and gets every byte', async () => {
  const file = await spoolFile()
  const body = growingBody(file, { maxSizeBytes: 1000, pieceSizeBytes: 4 })
  const reading = collect(body.stream())
  const middle = collect(body.stream({ start: 2, end: 7 }))
  await writeFile(file, 'abcd')
  body.advance(4)
  await appendFile(file, 'efgh')
  body.advance(8)
  await appendFile(file, 'ij')
  body.finish(10)
  expect((await reading).toString()).toBe('abcdefghij')
  expect((await middle).toString()).toBe('cdefg')
  expect(await body.size).toBe(10)
})

test('bytes beyond the sealed end are not shown, though the file has them', async () => {
  const file = await spoolFile()
  const body = growingBody(file, { maxSizeBytes: 1000, pieceSizeBytes: 4 })
  await writeFile(file, 'abcdTORN')
  body.advance(4)
  const iterator = body.stream()[Symbol.asyncIterator]()
  const first = await iterator.next()
  expect(Buffer.from(first.value ?? []).toString()).toBe('abcd')
  body.finish(4)
  expect((await iterator.next()).done).toBe(true)
})

test('digests come when their piece is complete', async () => {
  const body = growingBody(await spoolFile(), { maxSizeBytes: 1000, pieceSizeBytes: 4 })
  const asked = body.pieces?.sha256(1)
  body.addPiece(0, Uint8Array.of(1))
  body.addPiece(1, Uint8Array.of(2))
  expect(await asked).toEqual(Uint8Array.of(2))
})

test('a failed writer fails the readers that wait and those that come later', async () => {
  const body = growingBody(await spoolFile(), { maxSizeBytes: 1000, pieceSizeBytes: 4 })
  const waiting = collect(body.stream())
  body.fail(new BackupError('SPOOL_NO_SPACE', 'No space.'))
  await expect(waiting).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
  await expect(collect(body.stream())).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
  await expect(body.size).rejects.toMatchObject({ code: 'SPOOL_NO_SPACE' })
})
