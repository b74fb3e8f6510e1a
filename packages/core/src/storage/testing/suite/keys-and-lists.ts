import { describe, expect, it } from 'vitest'
import { compareKeys } from '../../key.ts'
import { listKeys } from '../../list-keys.ts'
import { bytesBody, type ListOptions, type Storage } from '../../storage.ts'
import { patternBytes } from './bodies.ts'
import { inParallel, keysUnder, readAll, type SuiteContext } from './context.ts'

const hostileNames = [
  ' leading and trailing ',
  '!bang',
  '"double" and \'single\'',
  '#hash?query=1&b=2',
  '%',
  '%2F',
  '100%25',
  '-rf',
  '.hidden/.file',
  '..two dots',
  'a+b=c',
  'back\\slash',
  'colon:semi;comma,',
  'dots...',
  '<tag>&amp;',
  'ni\u00f1o',
  'star*[0-9]{a,b}',
  '~tilde^caret|pipe`tick$var',
  '\u65e5\u672c/\u8a9e.db',
  '\uff5e fullwidth',
  '\u{1f600} smile',
]

const invalidKeys = [
  '',
  '/',
  '/absolute',
  'folder/',
  'two//slashes',
  '.',
  '..',
  '../up',
  'a/../b',
  'a/./b',
  'a/..',
  'nul\u0000',
  'line\nbreak',
  'lone \ud800 surrogate',
  'x'.repeat(256),
  `${'y'.repeat(100)}/`.repeat(9),
]

export function keysAndListsSuite({ storage, freshPrefix, traits, expectCode }: SuiteContext): void {
  describe('keys', () => {
    it('takes names that trip others up, byte for byte', async () => {
      const prefix = freshPrefix()
      await inParallel(hostileNames, 4, (name) => storage().put(prefix + name, bytesBody(Buffer.from(name))))
      for (const name of hostileNames) {
        expect((await readAll(storage(), prefix + name)).toString()).toBe(name)
        expect((await storage().list({ prefix: prefix + name })).objects[0]?.key).toBe(prefix + name)
      }
      expect(await keysUnder(storage(), prefix)).toEqual([...hostileNames].sort(compareKeys))
      await storage().delete(hostileNames.map((name) => prefix + name))
      expect(await keysUnder(storage(), prefix)).toEqual([])
    })

    it('takes long keys', async () => {
      const prefix = freshPrefix()
      const key = `${prefix}${`${'\u00e4'.repeat(100)}/`.repeat(3)}${'z'.repeat(150)}`
      await storage().put(key, bytesBody(Buffer.from('long')), { metadata: { long: 'yes' } })
      expect((await readAll(storage(), key)).toString()).toBe('long')
      expect((await storage().head(key)).metadata).toEqual({ long: 'yes' })
      expect((await storage().list({ prefix })).objects.map((object) => object.key)).toEqual([key])
    })

    it('refuses invalid keys in every call with KEY_INVALID', async () => {
      for (const key of invalidKeys) {
        await expectCode(storage().put(key, bytesBody(Buffer.from('x'))), 'KEY_INVALID')
        await expectCode(storage().get(key), 'KEY_INVALID')
        await expectCode(storage().head(key), 'KEY_INVALID')
        await expectCode(storage().delete([key]), 'KEY_INVALID')
      }
      for (const prefix of ['/', '../', 'a/../b', 'a//']) {
        await expectCode(storage().list({ prefix }), 'KEY_INVALID')
      }
    })

    if (traits.keysUnderKeys) {
      it('takes a key below another key', async () => {
        const prefix = freshPrefix()
        await storage().put(`${prefix}a`, bytesBody(Buffer.from('above')))
        await storage().put(`${prefix}a/b`, bytesBody(Buffer.from('below')))
        expect(await keysUnder(storage(), prefix)).toEqual(['a', 'a/b'])
        await storage().delete([`${prefix}a`])
        expect(await keysUnder(storage(), prefix)).toEqual(['a/b'])
      })
    } else {
      it('trait keysUnderKeys=false: refuses a key below another key, or above one', async () => {
        const prefix = freshPrefix()
        await storage().put(`${prefix}a`, bytesBody(Buffer.from('above')))
        await expectCode(storage().put(`${prefix}a/b`, bytesBody(Buffer.from('below'))), 'KEY_INVALID')
        await expectCode(storage().head(`${prefix}a/b`), 'OBJECT_MISSING')
        await storage().delete([`${prefix}a/b`])
        await storage().put(`${prefix}c/d`, bytesBody(Buffer.from('below')))
        await expectCode(storage().put(`${prefix}c`, bytesBody(Buffer.from('above'))), 'KEY_INVALID')
        await storage().delete([`${prefix}c`])
        expect(await keysUnder(storage(), prefix)).toEqual(['a', 'c/d'])
      })
    }
  })

  describe('list', () => {
    const names = [
      '1',
      'a-b/x',
      'a/1',
      'a/2',
      'a/b/1',
      'a/b/2',
      'a0',
      'b/1',
      'b/2',
      'c',
      '\u00e9/1',
      '\uff5e',
      '\u{1f600}/1',
    ]
    const keys = [...names].sort(compareKeys)

    it('shows the same keys and folded prefixes for every combination of options', async () => {
      const root = freshPrefix()
      await inParallel(keys, 4, (key) => storage().put(root + key, bytesBody(Buffer.from(key))))
      for (const prefix of ['', 'a', 'a/', 'a/b', '\u00e9', 'nothing']) {
        for (const after of [undefined, 'a', 'a/', 'a/2', 'b/1', '\uff5e', 'zzz']) {
          for (const delimiter of [undefined, '/'] as const) {
            for (const limit of [2, 1000]) {
              const options: ListOptions = {
                prefix: root + prefix,
                limit,
                ...(after === undefined ? {} : { after: root + after }),
                ...(delimiter === undefined ? {} : { delimiter }),
              }
              const expected = listKeys(
                keys.map((key) => root + key),
                { ...options, limit: 1000 },
              )
              const actual = await allPages(storage(), options)
              expect(actual, JSON.stringify(options)).toEqual({ keys: expected.keys, prefixes: expected.prefixes })
            }
          }
        }
      }
    })

    it('says size and time of what it lists', async () => {
      const prefix = freshPrefix()
      await storage().put(`${prefix}object`, bytesBody(patternBytes(4321)))
      const { objects, prefixes, cursor } = await storage().list({ prefix })
      expect(objects).toHaveLength(1)
      expect(objects[0]).toMatchObject({ key: `${prefix}object`, sizeBytes: 4321 })
      expect(objects[0]?.modified).toBeInstanceOf(Date)
      expect(prefixes).toEqual([])
      expect(cursor).toBeUndefined()
    })

    it('finds every object of a storage without a prefix', async () => {
      const key = `${freshPrefix()}object`
      await storage().put(key, bytesBody(Buffer.from('x')))
      expect(await keysUnder(storage(), '')).toContain(key)
      const top = await storage().list({ delimiter: '/' })
      expect(top.prefixes).toContain(`${key.split('/')[0]}/`)
    })

    it('gives an empty page for a prefix nothing starts with', async () => {
      expect(await storage().list({ prefix: `${freshPrefix()}nothing/here/` })).toEqual({ objects: [], prefixes: [] })
    })

    it('pages through more than a thousand keys, and deletes them in one call', { timeout: 240_000 }, async () => {
      const prefix = freshPrefix()
      const many = Array.from({ length: 1105 }, (_, i) => `${prefix}${String(i).padStart(5, '0')}`)
      await inParallel(many, 16, (key) => storage().put(key, bytesBody(Buffer.from(key))))
      const first = await storage().list({ prefix })
      expect(first.objects.length).toBeGreaterThan(0)
      expect(first.objects.length).toBeLessThanOrEqual(1000)
      expect(first.cursor).toBeDefined()
      expect((await allPages(storage(), { prefix })).keys).toEqual(many)
      expect((await allPages(storage(), { prefix, limit: 400 })).keys).toEqual(many)
      expect((await allPages(storage(), { prefix, after: many[999] ?? '' })).keys).toEqual(many.slice(1000))
      await storage().delete(many)
      expect(await keysUnder(storage(), prefix)).toEqual([])
    })
  })

  describe('delete', () => {
    it('deletes what is there and does not mind what is not', async () => {
      const prefix = freshPrefix()
      await inParallel(['a', 'b', 'c/d'], 2, (name) => storage().put(prefix + name, bytesBody(Buffer.from(name))))
      await storage().delete([`${prefix}a`, `${prefix}nothing`, `${prefix}c/d`, `${prefix}c/nothing/here`])
      expect(await keysUnder(storage(), prefix)).toEqual(['b'])
      expect((await storage().list({ prefix, delimiter: '/' })).prefixes).toEqual([])
      await expectCode(storage().get(`${prefix}a`), 'OBJECT_MISSING')
      await storage().delete([`${prefix}a`])
      await storage().delete([])
      expect(await keysUnder(storage(), prefix)).toEqual(['b'])
    })

    it('deletes nothing when one of the keys is invalid', async () => {
      const key = `${freshPrefix()}object`
      await storage().put(key, bytesBody(Buffer.from('x')))
      await expectCode(storage().delete([key, '../outside']), 'KEY_INVALID')
      expect((await storage().head(key)).sizeBytes).toBe(1)
    })
  })
}

/** All pages in one, having checked that none is longer than asked for and that they follow each other. */
async function allPages(storage: Storage, options: ListOptions): Promise<{ keys: string[]; prefixes: string[] }> {
  const keys: string[] = []
  const prefixes: string[] = []
  let last = ''
  let cursor: string | undefined
  do {
    const page = await storage.list(cursor === undefined ? options : { ...options, cursor })
    const lines = [...page.objects.map(({ key }) => key), ...page.prefixes].sort(compareKeys)
    expect(lines.length).toBeLessThanOrEqual(options.limit ?? 1000)
    if (lines[0] !== undefined) expect(compareKeys(lines[0], last)).toBeGreaterThan(0)
    last = lines.at(-1) ?? last
    keys.push(...page.objects.map(({ key }) => key))
    prefixes.push(...page.prefixes)
    cursor = page.cursor
  } while (cursor !== undefined)
  return { keys, prefixes }
}
