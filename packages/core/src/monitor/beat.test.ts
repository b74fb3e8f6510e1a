import { expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody } from '../storage/storage.ts'
import { type Beat, putBeat, readBeats, removeOldBeats } from './beat.ts'

const beat: Beat = {
  writer: '9f2c',
  since: '2026-11-20T01:00:00.000Z',
  at: '2026-11-20T11:00:00.000Z',
  state: 'unchanged',
  backup: '20261120T030000Z-k3v7qa2m',
}

test('a writer replaces its own sign, and leaves those of others', async () => {
  const storage = memory()
  await putBeat(storage, 'app', beat)
  await putBeat(storage, 'app', { ...beat, writer: 'other', state: 'awake' })
  const later = { ...beat, at: '2026-11-20T12:00:00.000Z' }
  await putBeat(storage, 'app', later)
  expect(await readBeats(storage, 'app')).toEqual(
    expect.arrayContaining([later, { ...beat, writer: 'other', state: 'awake' }]),
  )
  expect(await readBeats(storage, 'app')).toHaveLength(2)
  expect(await readBeats(storage, 'logs')).toEqual([])
})

test('engines on one spool each have a sign, and one that starts later removes those it replaces', async () => {
  let ms = Date.parse('2026-11-01T00:00:00.000Z')
  const storage = memory({ now: () => new Date(ms) })
  await putBeat(storage, 'app', { ...beat, state: 'asleep' }) // By an older version.
  await putBeat(storage, 'app', { ...beat, instance: 'crashed', state: 'awake' })
  await putBeat(storage, 'app', { ...beat, writer: '9f2cc', instance: 'other' })
  ms += 2 * 3_600_000
  await putBeat(storage, 'app', { ...beat, instance: 'one', alive: '2026-11-20T11:30:00.000Z' })
  await putBeat(storage, 'app', { ...beat, instance: 'two', state: 'awake' })
  await removeOldBeats(storage, 'app', { writer: beat.writer, instance: 'two' })
  const beats = await readBeats(storage, 'app')
  expect(beats.map(({ instance }) => instance).sort()).toEqual(['one', 'other', 'two'])
  expect(beats).toContainEqual({ ...beat, instance: 'one', alive: '2026-11-20T11:30:00.000Z' })
})

test('a sign that cannot be read is none', async () => {
  const storage = memory()
  await putBeat(storage, 'app', beat)
  for (const [name, text] of Object.entries({ a: '{', b: '{}', c: '{"writer":5}', d: 'x'.repeat(3000) })) {
    await storage.put(`app/heartbeat/${name}.json`, bytesBody(Buffer.from(text)))
  }
  await storage.put('app/heartbeat/notes.txt', bytesBody(Buffer.from('x')))
  expect(await readBeats(storage, 'app')).toEqual([beat])
})

test('of many writers the last are read', async () => {
  let ms = Date.parse('2026-11-01T00:00:00.000Z')
  const storage = memory({ now: () => new Date(ms) })
  for (let i = 0; i < 100; i++) {
    ms += 60_000
    await putBeat(storage, 'app', { ...beat, writer: `w${i}` })
  }
  const writers = (await readBeats(storage, 'app')).map(({ writer }) => writer)
  expect(writers).toHaveLength(32)
  expect(writers[0]).toBe('w99')
})

test('signs of writers that are gone for a month are removed', async () => {
  let ms = Date.parse('2026-10-01T00:00:00.000Z')
  const storage = memory({ now: () => new Date(ms) })
  for (const writer of ['gone', 'away']) {
    await putBeat(storage, 'app', { ...beat, writer })
    ms += 20 * 86_400_000
  }
  await putBeat(storage, 'app', { ...beat, writer: 'here' })
  await removeOldBeats(storage, 'app', { writer: 'here' })
  expect((await readBeats(storage, 'app')).map(({ writer }) => writer)).toEqual(['here', 'away'])
})
