import { expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody, listAll, readObject, type Storage } from '../storage/storage.ts'
import { type AuditLog, createAuditLog } from './audit-log.ts'

const now = (): Date => new Date('2026-11-20T12:00:00Z')

async function keysOf(storage: Storage, part: RegExp): Promise<readonly string[]> {
  const keys: string[] = []
  for await (const { key } of listAll(storage, { prefix: 'app/audit/' })) if (part.test(key)) keys.push(key)
  return keys
}
const entries = /audit\/\d/

async function write(log: AuditLog, count: number): Promise<void> {
  for (let i = 1; i <= count; i++)
    await log.append('app', { actor: 'ann', action: `backup.requested`, backup: `b${i}` })
}

function two() {
  const [near, far] = [memory(), memory()]
  const storages = [
    { name: 'near', storage: near },
    { name: 'far', storage: far },
  ]
  return { near, far, open: () => createAuditLog({ storages, now }) }
}

test('whatever is edited or taken away is named by a process that saw none of it', async () => {
  const { near, open } = two()
  await write(open(), 4)
  const keys = await keysOf(near, entries)
  expect(keys).toHaveLength(4)
  expect((await open().read('app')).problems).toEqual([])
  for (const [at, key] of keys.entries()) {
    const bytes = await readObject(near, key)
    await near.put(key, bytesBody(Buffer.from(Buffer.from(bytes).toString().replace('"ann"', '"eve"'))))
    expect((await open().read('app')).problems, `edited ${at + 1}`).toMatchObject([{ seq: at + 1, kind: 'edited' }])
    await near.delete([key])
    expect((await open().read('app')).problems, `removed ${at + 1}`).toMatchObject([{ seq: at + 1, kind: 'removed' }])
    await near.put(key, bytesBody(Buffer.from(bytes)))
  }
  expect((await open().read('app')).problems).toEqual([])
})

test('the newest entries, taken away with the note of where they end, are missed by another storage', async () => {
  const { near, far, open } = two()
  await write(open(), 3)
  await near.delete(await keysOf(near, /./))
  expect((await open().read('app')).problems.map(({ seq, kind }) => `${seq} ${kind}`)).toEqual([
    '1 removed',
    '2 removed',
    '3 removed',
  ])
  // One storage only, and everything in it is gone: nobody is left to know.
  await far.delete(await keysOf(far, /./))
  expect((await open().read('app')).problems).toEqual([])
})

test('of each chain one note is left in each storage; a storage that is down is in nobody’s way', async () => {
  const { near, far, open } = two()
  const log = open()
  await write(log, 3)
  await write(open(), 1)
  for (const storage of [near, far]) expect(await keysOf(storage, /audit\/heads\/near\//)).toHaveLength(2)
  const heard: string[] = []
  const record = (_: object, message: string): void => void heard.push(message)
  const down = { ...memory(), put: () => Promise.reject(new Error('down')) }
  const withDown = createAuditLog({
    storages: [
      { name: 'near', storage: near },
      { name: 'down', storage: down },
    ],
    now,
    log: { debug: record, info: record, warn: record, error: record },
  })
  await write(withDown, 1)
  expect(await withDown.read('app')).toMatchObject({ problems: [] })
  expect(heard).toEqual(['Where the audit log ends could not be noted'])
})

test('entries that come while the log is read are not missing', async () => {
  const { near, open } = two()
  const log = open()
  await write(log, 1)
  let isFirst = true
  // Between the list of the entries and that of the notes, somebody writes.
  const busy: Storage = {
    ...near,
    async list(options) {
      const page = await near.list(options)
      if (isFirst) {
        isFirst = false
        await write(log, 2)
      }
      return {
        ...page,
        objects: [
          ...page.objects.filter(({ key }) => entries.test(key)),
          ...(await near.list(options)).objects.filter(({ key }) => !entries.test(key)),
        ],
      }
    },
  }
  const reader = createAuditLog({ storages: [{ name: 'near', storage: busy }], now })
  expect((await reader.read('app')).problems).toEqual([])
})

/** Time goes on, as in a storage that is in use. */
function ticking() {
  let nowMs = Date.parse('2026-11-20T12:00:00Z')
  const tick = (): Date => {
    nowMs += 1000
    return new Date(nowMs)
  }
  const near = memory({ now: tick })
  return { near, open: () => createAuditLog({ storages: [{ name: 'near', storage: near }], now: tick }) }
}

test('what a process that began long ago did last stands before what a newer one did; its removal is missed', async () => {
  const { near, open } = ticking()
  const older = open()
  await write(older, 2)
  const newer = open()
  await write(newer, 505)
  await older.append('app', { actor: 'eve', action: 'delete.succeeded', backup: 'b1' })
  const report = await open().read('app')
  expect(report).toMatchObject({ problems: [], hasMore: true })
  expect(report.entries).toHaveLength(500)
  expect(report.entries[0]).toMatchObject({ actor: 'eve', seq: 3 })
  expect(report.entries.map(({ at }) => at)).toEqual(
    report.entries
      .map(({ at }) => at)
      .sort()
      .reverse(),
  )

  const keys = await keysOf(near, entries)
  const [, , last = '', , early = ''] = keys
  await near.delete([last])
  expect((await open().read('app')).problems).toMatchObject([{ seq: 3, kind: 'removed' }])
  // One that is not read any more: that it is there is still looked at.
  await near.delete([early])
  expect((await open().read('app')).problems.map(({ seq, kind }) => `${seq} ${kind}`).sort()).toEqual([
    '2 removed',
    '3 removed',
  ])
})

test('of a process that wrote nothing lately, an edit of its last entry is seen behind any number of newer ones', async () => {
  const { near, open } = ticking()
  await write(open(), 1)
  await write(open(), 505)
  const [first = ''] = await keysOf(near, entries)
  const text = Buffer.from(await readObject(near, first)).toString()
  await near.put(first, bytesBody(Buffer.from(text.replace('"ann"', '"eve"'))))
  const { problems, entries: shown } = await open().read('app')
  expect(problems).toMatchObject([{ seq: 1, kind: 'edited' }])
  expect(shown).toHaveLength(500)
})

test('an object that is too large to be an entry is named, and stops neither who reads nor who writes', async () => {
  const near = memory()
  const open = () => createAuditLog({ storages: [{ name: 'near', storage: near }], now })
  await write(open(), 1)
  const junk = [Buffer.alloc(70_000, 'x'), Buffer.from('no JSON')]
  for (const [at, bytes] of junk.entries())
    await near.put(`app/audit/20261121T00000${at}Z-aaaaaaaa/00000001.json`, bytesBody(bytes))
  await write(open(), 1)
  const { entries: shown, problems } = await open().read('app')
  expect(shown).toHaveLength(2)
  expect(problems).toEqual([
    { writer: '20261121T000000Z-aaaaaaaa', seq: 1, kind: 'edited' },
    { writer: '20261121T000001Z-aaaaaaaa', seq: 1, kind: 'edited' },
  ])
})
