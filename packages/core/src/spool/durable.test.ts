import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { linkDurably, makeDirDurably, renameDurably, tempNameFor, writeDurably } from './durable.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sqlite-backup-durable-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

describe('writeDurably', () => {
  it('writes bytes and streams, and replaces what was there', async () => {
    const file = join(dir, 'file')
    await writeDurably(file, Buffer.from('one'))
    expect(readFileSync(file, 'utf8')).toBe('one')
    await writeDurably(file, pieces('t', 'wo', '', '!'))
    expect(readFileSync(file, 'utf8')).toBe('two!')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir)).toEqual(['file'])
  })

  it('writes large streams of chunks of any size, and says how far it is', async () => {
    const file = join(dir, 'file')
    const bytes = randomBytes(40_000_000)
    async function* chunks(): AsyncGenerator<Uint8Array> {
      let length = 0
      for (let at = 0; at < bytes.length; at += length, length = (length * 7 + 1) % 400_000) {
        yield bytes.subarray(at, at + length)
      }
    }
    const progress: number[] = []
    await writeDurably(file, chunks(), { onProgress: (n) => progress.push(n) })
    expect(readFileSync(file).equals(bytes)).toBe(true)
    expect(progress.length).toBeGreaterThan(5)
    expect(progress).toEqual([...progress].sort((a, b) => a - b))
    expect(progress.at(-1)).toBe(bytes.length)
    await writeDurably(file, pieces(...Array.from({ length: 3000 }, (_, i) => String.fromCharCode(i % 100))))
    expect(readFileSync(file)).toEqual(Buffer.from(Array.from({ length: 3000 }, (_, i) => i % 100)))
  })

  it('refuses an existing file with ifAbsent, and lets one of many win', async () => {
    const file = join(dir, 'file')
    const results = await Promise.allSettled(
      Array.from({ length: 16 }, (_, i) => writeDurably(file, Buffer.from(`${i}`), { ifAbsent: true })),
    )
    const winners = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [`${i}`] : []))
    expect(winners).toEqual([readFileSync(file, 'utf8')])
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'EEXIST' })
    }
    expect(readdirSync(dir)).toEqual(['file'])
  })

  it('leaves the old file and nothing else when content, check or signal says no', async () => {
    const file = join(dir, 'file')
    writeFileSync(file, 'old')
    const broken = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('half')
      throw new Error('broken')
    }
    await expect(writeDurably(file, broken())).rejects.toThrow('broken')
    const check = async (temp: string): Promise<void> => {
      expect(readFileSync(temp, 'utf8')).toBe('new')
      throw new Error('not good')
    }
    await expect(writeDurably(file, Buffer.from('new'), { check })).rejects.toThrow('not good')
    const signal = AbortSignal.abort(new Error('stop'))
    await expect(writeDurably(file, Buffer.from('new'), { signal })).rejects.toThrow('stop')
    await expect(writeDurably(join(dir, 'no', 'such', 'folder'), Buffer.from('new'))).rejects.toMatchObject({
      code: 'ENOENT',
    })
    expect(readFileSync(file, 'utf8')).toBe('old')
    expect(readdirSync(dir)).toEqual(['file'])
  })

  it('has room for its temp name beside the longest file name', async () => {
    const file = join(dir, 'x'.repeat(255))
    await writeDurably(file, Buffer.from('long'))
    expect(readFileSync(file, 'utf8')).toBe('long')
    expect(tempNameFor(join(dir, '\u{1f600}'.repeat(63)))).toHaveLength(join(dir, '').length + 1 + 1 + 40 + 17)
  })
})

describe('the other durable steps', () => {
  it('renames across folders', async () => {
    mkdirSync(join(dir, 'a'))
    mkdirSync(join(dir, 'b'))
    writeFileSync(join(dir, 'a', 'file'), 'x')
    await renameDurably(join(dir, 'a', 'file'), join(dir, 'b', 'file'))
    expect(readdirSync(join(dir, 'a'))).toEqual([])
    expect(readFileSync(join(dir, 'b', 'file'), 'utf8')).toBe('x')
  })

  it('links without replacing', async () => {
    writeFileSync(join(dir, 'one'), '1')
    writeFileSync(join(dir, 'two'), '2')
    await expect(linkDurably(join(dir, 'one'), join(dir, 'two'))).rejects.toMatchObject({ code: 'EEXIST' })
    await linkDurably(join(dir, 'one'), join(dir, 'three'))
    expect(statSync(join(dir, 'three')).ino).toBe(statSync(join(dir, 'one')).ino)
  })

  it('makes folders, and does not mind those that are there', async () => {
    await makeDirDurably(join(dir, 'a', 'b', 'c'))
    await makeDirDurably(join(dir, 'a', 'b', 'c'))
    expect(statSync(join(dir, 'a', 'b', 'c')).mode & 0o777).toBe(0o700)
    chmodSync(join(dir, 'a'), 0o755)
    writeFileSync(join(dir, 'a', 'file'), '')
    await expect(makeDirDurably(join(dir, 'a', 'file'))).rejects.toMatchObject({ code: 'EEXIST' })
    await expect(makeDirDurably(join(dir, 'a', 'file', 'd'))).rejects.toMatchObject({ code: 'EEXIST' })
  })

  it('makes folders together with others that make the same', async () => {
    await Promise.all(Array.from({ length: 16 }, () => makeDirDurably(join(dir, 'a', 'b', 'c', 'd', 'e'))))
    expect(statSync(join(dir, 'a', 'b', 'c', 'd', 'e')).isDirectory()).toBe(true)
  })

  it('follows a link to a folder, and refuses one that leads nowhere', async () => {
    mkdirSync(join(dir, 'real'))
    symlinkSync(join(dir, 'real'), join(dir, 'link'))
    await makeDirDurably(join(dir, 'link', 'a'))
    expect(statSync(join(dir, 'real', 'a')).isDirectory()).toBe(true)
    symlinkSync(join(dir, 'gone'), join(dir, 'dangling'))
    await expect(makeDirDurably(join(dir, 'dangling', 'a'))).rejects.toMatchObject({ code: 'EEXIST' })
  })

  // Node's own recursive mkdir never returns there.
  it.runIf(existsSync('/proc/self'))('ends where the file system makes no folders', async () => {
    await expect(makeDirDurably('/proc/sqlite-backup/a/b')).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
