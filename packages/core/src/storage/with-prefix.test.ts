import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { filesystem } from './filesystem.ts'
import { memory } from './memory.ts'
import { bytesBody, listAll, type Storage } from './storage.ts'
import { storageSuite } from './storage-suite.ts'
import { keysUnder, readAll } from './testing/suite/context.ts'
import { withPrefix } from './with-prefix.ts'

const dir = mkdtempSync(join(tmpdir(), 'sqlite-backup-with-prefix-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

storageSuite({ name: 'memory with prefix', open: () => withPrefix(withPrefix(memory(), 'one/'), 'two/three') })
storageSuite({
  name: 'filesystem with prefix',
  open: () => withPrefix(filesystem({ dir }), 'prod'),
  traits: { keysUnderKeys: false },
})

describe('withPrefix', () => {
  const text = (value: string) => bytesBody(Buffer.from(value))

  it('never mixes app and app2', async () => {
    const inner = memory()
    const [app, app2] = [withPrefix(inner, 'app'), withPrefix(inner, 'app2')]
    await app.put('one', text('app'))
    await app2.put('one', text('app2'))
    await app2.put('two', text('app2'))
    expect(await keysUnder(inner, '')).toEqual(['app/one', 'app2/one', 'app2/two'])
    expect(await keysUnder(app, '')).toEqual(['one'])
    expect(await keysUnder(app2, '')).toEqual(['one', 'two'])
    await app2.delete(['one'])
    expect((await readAll(app, 'one')).toString()).toBe('app')
  })

  it('pages, skips and folds within the prefix', async () => {
    const inner = memory()
    const storage = withPrefix(inner, 'p')
    for (const key of ['a/1', 'a/2', 'b', 'c/1', 'd']) await storage.put(key, text(key))
    await inner.put('q', text('outside'))
    const first = await storage.list({ delimiter: '/', limit: 2 })
    expect(first).toMatchObject({ objects: [{ key: 'b' }], prefixes: ['a/'] })
    const second = await storage.list({ delimiter: '/', limit: 2, ...(first.cursor ? { cursor: first.cursor } : {}) })
    expect(second).toMatchObject({ objects: [{ key: 'd' }], prefixes: ['c/'] })
    expect(second.cursor).toBeUndefined()
    expect(await keysOf(storage, { after: 'a/1' })).toEqual(['a/2', 'b', 'c/1', 'd'])
    expect(await keysOf(storage, { prefix: 'a', after: 'a/1' })).toEqual(['a/2'])
    expect(await keysOf(storage, { after: 'zzz' })).toEqual([])
  })

  it('does not let a key climb out', async () => {
    const inner = memory()
    await inner.put('secret', text('x'))
    const storage = withPrefix(inner, 'app')
    for (const key of ['../secret', '', '/secret', 'a/../../secret']) {
      await expect(storage.get(key)).rejects.toMatchObject({ code: 'KEY_INVALID' })
      await expect(storage.delete([key])).rejects.toMatchObject({ code: 'KEY_INVALID' })
    }
    await expect(storage.list({ prefix: '../' })).rejects.toMatchObject({ code: 'KEY_INVALID' })
    expect(() => withPrefix(inner, '../up')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
    expect(() => withPrefix(inner, '')).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
  })

  it('says where it is', () => {
    expect(withPrefix(memory(), 'prod/')).toMatchObject({ name: 'memory/prod', kind: 'memory' })
    expect(withPrefix(filesystem({ dir }), 'prod').localDir).toBe(join(dir, 'prod'))
  })
})

async function keysOf(storage: Storage, options: Parameters<typeof listAll>[1]): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of listAll(storage, options)) keys.push(key)
  return keys
}
