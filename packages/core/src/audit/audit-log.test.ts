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
