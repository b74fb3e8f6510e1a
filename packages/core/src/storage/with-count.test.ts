import { expect, it } from 'vitest'
import { memory } from './memory.ts'
import { bytesBody } from './storage.ts'
import { storageSuite } from './storage-suite.ts'
import { keysUnder, readAll } from './testing/suite/context.ts'
import { withCount } from './with-count.ts'

storageSuite({ name: 'memory with count', open: () => withCount(memory()) })

it('withCount counts every page and every call', async () => {
  const storage = withCount(memory())
  for (let i = 0; i < 2500; i++) await storage.put(`${i}`, bytesBody(Buffer.alloc(0)))
  storage.reset()
  await keysUnder(storage, '')
  await readAll(storage, '1')
  await storage.head('1')
  await storage.delete(['1', '2', '3'])
  await storage.fencing()
  await expect(storage.get('1')).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
  expect(storage.counts).toEqual({ put: 0, get: 2, head: 1, list: 3, delete: 1, fencing: 1 })
  expect(storage.total()).toBe(8)
})
