import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { chmod, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { filesystem } from './filesystem.ts'
import { filesystemError } from './filesystem-error.ts'
import { memory } from './memory.ts'
import { bytesBody, type ListOptions, type Storage } from './storage.ts'
import { storageSuite } from './storage-suite.ts'
import { heldBody, patternBytes } from './testing/suite/bodies.ts'
import { keysUnder, readAll } from './testing/suite/context.ts'

const root = mkdtempSync(join(tmpdir(), 'sqlite-backup-filesystem-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

storageSuite({
  name: 'filesystem',
  open: () => filesystem({ dir: join(root, 'suite') }),
  traits: { keysUnderKeys: false },
})

describe('filesystem', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(root, 'test-'))
  })
  const text = (value: string) => bytesBody(Buffer.from(value))
  const tempDir = () => join(dir, '.sqlite-backup', 'temp')

  it('stores an object as a plain file under its key, for its owner only', async () => {
    const storage = filesystem({ dir: join(dir, 'made', 'on', 'first', 'use') })
    expect(await keysUnder(storage, '')).toEqual([])
    expect(existsSync(join(dir, 'made'))).toBe(false)
    await storage.put('app/backups/one.db', text('content'))
    const file = join(storage.localDir ?? '', 'app/backups/one.db')
    expect(readFileSync(file, 'utf8')).toBe('content')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(statSync(join(file, '..')).mode & 0o777).toBe(0o700)
  })

  it('lets a group read when told so', async () => {
    await filesystem({ dir, fileMode: 0o640 }).put('app/one.db', text('content'))
    expect(statSync(join(dir, 'app/one.db')).mode & 0o777).toBe(0o640)
    expect(statSync(join(dir, 'app')).mode & 0o777).toBe(0o750)
  })

  it.each(['file', 'file/below'])('a folder whose place is taken (%s) is missing, not empty', async (name) => {
    writeFileSync(join(dir, 'file'), '')
    const storage = filesystem({ dir: join(dir, name) })
    const calls = [() => storage.put('a', text('x')), () => storage.get('a'), () => storage.list()]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'STORAGE_MISSING' })
  })

  it('says STORAGE_MISSING instead of making the folder when it must exist', async () => {
    const storage = filesystem({ dir: join(dir, 'mount'), mustExist: true })
    const calls = [
      () => storage.put('a', text('x')),
      () => storage.get('a'),
      () => storage.head('a'),
      () => storage.list(),
      () => storage.delete(['a']),
      () => storage.fencing(),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'STORAGE_MISSING' })
    expect(readdirSync(dir)).toEqual([])
    mkdirSync(join(dir, 'mount'))
    await storage.put('a', text('x'))
    expect(await keysUnder(storage, '')).toEqual(['a'])
  })

  it('keeps its own folder to itself', async () => {
    const storage = filesystem({ dir })
    await storage.put('a', text('x'), { metadata: { note: 'y' } })
    for (const key of ['.sqlite-backup/temp/x', 'lost+found/x']) {
      await expect(storage.put(key, text('x'))).rejects.toMatchObject({ code: 'KEY_INVALID' })
    }
    expect(await storage.list({ delimiter: '/' })).toMatchObject({ objects: [{ key: 'a' }], prefixes: [] })
  })

  it('never lists a file that is being written, and removes those that a dead writer left a day ago', async () => {
    const storage = filesystem({ dir })
    const held = heldBody(patternBytes(1000), 500)
    const done = storage.put('a', held.body)
    await held.waiting
    expect(readdirSync(tempDir())).toHaveLength(1)
    expect(await keysUnder(storage, '')).toEqual([])
    held.release()
    await done
    expect(readdirSync(tempDir())).toEqual([])

    writeFileSync(join(tempDir(), 'old'), '')
    writeFileSync(join(tempDir(), 'young'), '')
    utimesSync(join(tempDir(), 'old'), 0, Date.now() / 1000 - 25 * 3600)
    await filesystem({ dir }).put('b', text('x'))
    expect(readdirSync(tempDir())).toEqual(['young'])
  })

  it('shows nothing of what a killed process was writing', async () => {
    const script = `
      import { filesystem } from ${JSON.stringify(new URL('./filesystem.ts', import.meta.url).href)}
      const body = { size: 2_000_000, async *stream() {
        yield Buffer.alloc(1_000_000)
        process.stdout.write('half')
        await new Promise((resolve) => setTimeout(resolve, 60_000))
      } }
      await filesystem({ dir: ${JSON.stringify(dir)} }).put('app/one.db', body, { metadata: { note: 'x' } })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise((resolve) => child.stdout.once('data', resolve))
    expect(readdirSync(tempDir())).toHaveLength(1)
    child.kill('SIGKILL')
    await new Promise((resolve) => child.once('exit', resolve))
    expect(await keysUnder(filesystem({ dir }), '')).toEqual([])
    expect(existsSync(join(dir, 'app'))).toBe(false)
  })

  it('says STORAGE_FULL before it takes the reserve, for known and for growing bodies', async () => {
    const storage = filesystem({ dir, reserveBytes: Number.MAX_SAFE_INTEGER })
    await expect(storage.put('a', text('x'))).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    const { body } = heldBody(patternBytes(1000), 500)
    await expect(storage.put('a', body)).rejects.toMatchObject({ code: 'STORAGE_FULL' })
    expect(await keysUnder(storage, '')).toEqual([])
    expect(readdirSync(tempDir())).toEqual([])
  })

  it.runIf(existsSync('/dev/full'))('says STORAGE_FULL when the volume is', async () => {
    const full = await open('/dev/full', 'w')
    const error = await full.write('x').catch((reason: unknown) => reason)
    await full.close()
    expect(filesystemError(error, 'store a', dir)).toMatchObject({ code: 'STORAGE_FULL' })
  })

  it('says STORAGE_DENIED, and who would need the permission', async () => {
    const storage = filesystem({ dir })
    await storage.put('secret/a', text('x'))
    const asNobody = async (run: () => Promise<unknown>): Promise<void> => {
      // Root may do anything.
      if (process.getuid?.() === 0) process.seteuid?.(65534)
      try {
        await expect(run()).rejects.toMatchObject({ code: 'STORAGE_DENIED', hint: expect.stringContaining(dir) })
      } finally {
        if (process.getuid?.() === 0) process.seteuid?.(0)
      }
    }
    await chmod(root, 0o755)
    await chmod(dir, 0o755)
    await chmod(join(dir, 'secret'), 0o000)
    await asNobody(() => storage.get('secret/a'))
    await asNobody(() => storage.list())
    await chmod(dir, 0o555)
    await asNobody(() => filesystem({ dir: join(dir, 'new') }).put('a', text('x')))
    await chmod(dir, 0o755)
    await chmod(join(dir, 'secret'), 0o700)
  })

  it('passes over what it cannot name, lost+found and broken links, and follows links', async () => {
    const storage = filesystem({ dir })
    await storage.put('a/one', text('x'))
    mkdirSync(join(dir, 'lost+found'))
    writeFileSync(join(dir, 'lost+found', '#123'), '')
    writeFileSync(join(dir, 'line\nbreak'), '')
    symlinkSync(join(dir, 'nowhere'), join(dir, 'broken'))
    symlinkSync(join(dir, 'a'), join(dir, 'link'))
    mkdirSync(join(dir, 'empty', 'folders'), { recursive: true })
    expect(await keysUnder(storage, '')).toEqual(['a/one', 'link/one'])
    expect((await storage.list({ delimiter: '/' })).prefixes).toEqual(['a/', 'link/'])
  })

  it('keeps metadata when the tree is copied with its times', async () => {
    await filesystem({ dir: join(dir, 'one') }).put('a/b', text('x'), { metadata: { note: 'y' } })
    cpSync(join(dir, 'one'), join(dir, 'two'), { recursive: true, preserveTimestamps: true })
    expect((await filesystem({ dir: join(dir, 'two') }).head('a/b')).metadata).toEqual({ note: 'y' })
  })

  it('leaves no empty folders and no metadata behind after deletes', async () => {
    const storage = filesystem({ dir })
    await storage.put('a/b/c/one', text('x'), { metadata: { note: 'y' } })
    await storage.put('a/two', text('x'), { metadata: { note: 'y' } })
    await storage.delete(['a/b/c/one'])
    expect(readdirSync(join(dir, 'a'))).toEqual(['two'])
    expect(readdirSync(join(dir, '.sqlite-backup', 'metadata', 'a'))).toEqual(['two'])
    await storage.delete(['a/two'])
    expect(readdirSync(dir)).toEqual(['.sqlite-backup'])
    expect(readdirSync(join(dir, '.sqlite-backup', 'metadata'))).toEqual([])
  })

  it('stores while the last object of the same folder is deleted, again and again', async () => {
    const storage = filesystem({ dir })
    const loop = async (key: string): Promise<void> => {
      for (let i = 0; i < 40; i++) {
        await storage.put(key, text(key), { metadata: { i: `${i}` } })
        expect((await storage.head(key)).metadata).toEqual({ i: `${i}` })
        await storage.delete([key])
      }
    }
    await Promise.all(['x/y/one', 'x/y/two', 'x/three'].map(loop))
    expect(await keysUnder(storage, '')).toEqual([])
  })

  it('lists any tree as the memory storage does', { timeout: 120_000 }, async () => {
    const segment = fc.constantFrom('a', 'a-', 'a.b', 'a0', 'b', '\u00e9', '\uff5e', '\u{1f600}', '2026', '.x')
    const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join('/'))
    const anyPrefix = fc
      .tuple(path, fc.nat(12))
      .map(([key, cut]) => key.slice(0, cut).toWellFormed().replace('\ufffd', ''))
    const options: fc.Arbitrary<ListOptions> = fc.record(
      {
        prefix: anyPrefix,
        after: anyPrefix,
        delimiter: fc.constant('/' as const),
        limit: fc.integer({ min: 1, max: 5 }),
      },
      { requiredKeys: [] },
    )
    let run = 0
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(path, { maxLength: 15 }),
        fc.array(options, { minLength: 5 }),
        async (keys, asked) => {
          const files = filesystem({ dir: join(dir, `${++run}`) })
          const model = memory()
          for (const key of keys) {
            if (keys.some((other) => other.startsWith(`${key}/`))) continue
            mkdirSync(join(dir, `${run}`, key, '..'), { recursive: true })
            writeFileSync(join(dir, `${run}`, key), '')
            await model.put(key, text(''))
          }
          for (const one of asked) expect(await linesOf(files, one)).toEqual(await linesOf(model, one))
        },
      ),
      { numRuns: 60 },
    )
  })

  it('reads an object to its end though it is deleted meanwhile', async () => {
    const storage = filesystem({ dir })
    const bytes = patternBytes(3_000_000)
    await storage.put('a', bytesBody(bytes))
    const { stream } = await storage.get('a')
    await storage.delete(['a'])
    let sizeBytes = 0
    for await (const chunk of stream) sizeBytes += chunk.byteLength
    expect(sizeBytes).toBe(bytes.length)
    await expect(readAll(storage, 'a')).rejects.toMatchObject({ code: 'OBJECT_MISSING' })
  })
})

async function linesOf(storage: Storage, options: ListOptions): Promise<unknown> {
  const pages: unknown[] = []
  let cursor: string | undefined
  do {
    const page = await storage.list(cursor === undefined ? options : { ...options, cursor })
    pages.push([page.objects.map(({ key }) => key), page.prefixes])
    cursor = page.cursor
  } while (cursor !== undefined)
  return pages
}
