import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { defaultSpoolDir, openSpool, removeStale, temporarySpoolDir } from './spool.ts'

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'sqlite-backup-spool-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

const locate = (path: string) => ({ path, spoolDir: defaultSpoolDir(path) })

test('a spool lies beside its database, for its owner only, and git does not see it', async () => {
  const dir = tempDir()
  const path = join(dir, 'app.db')
  const spool = await openSpool(locate(path))
  expect(spool).toBe(join(dir, '.sqlite-backup', 'app.db'))
  expect(statSync(spool).mode & 0o777).toBe(0o700)
  expect(statSync(join(dir, '.sqlite-backup')).mode & 0o777).toBe(0o700)
  expect(existsSync(join(dir, '.sqlite-backup', '.gitignore'))).toBe(true)
  expect(await openSpool(locate(path))).toBe(spool)
})

test('two names of one database share one spool', async () => {
  const dir = tempDir()
  const path = join(dir, 'app.db')
  writeFileSync(path, '')
  const link = join(tempDir(), 'link.db')
  symlinkSync(path, link)
  expect(await openSpool(locate(link))).toBe(await openSpool(locate(path)))
})

test('a configured spool is taken as it is, and made', async () => {
  const dir = join(tempDir(), 'a', 'b')
  expect(await openSpool({ path: join(tempDir(), 'app.db'), spoolDir: dir })).toBe(dir)
  expect(statSync(dir).mode & 0o777).toBe(0o700)
})

test('a configured spool that cannot be made is an error with a hint', async () => {
  const file = join(tempDir(), 'file')
  writeFileSync(file, '')
  const opened = openSpool({ path: join(tempDir(), 'app.db'), spoolDir: join(file, 'spool') })
  await expect(opened).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
})

test('what killed runs left long ago is removed; what is young or of another kind stays', async () => {
  const path = join(tempDir(), 'app.db')
  const spool = await openSpool(locate(path))
  const old = new Date(Date.now() - 25 * 3600_000)
  const leftBehind = ['old.body', 'old.body.raw', '.state.json.abc.tmp', 'pre-restore-1.db.draft']
  const kept = ['state.json', 'lock.db', 'pre-restore-1.db']
  for (const name of [...leftBehind, ...kept]) {
    writeFileSync(join(spool, name), 'x')
    utimesSync(join(spool, name), old, old)
  }
  writeFileSync(join(spool, 'young.body'), 'x')
  mkdirSync(join(spool, 'folder.tmp'))
  utimesSync(join(spool, 'folder.tmp'), old, old)
  // Whoever does not have the lock cannot know that nobody is uploading them.
  await openSpool(locate(path))
  for (const name of leftBehind) expect(existsSync(join(spool, name))).toBe(true)
  await removeStale(spool)
  const left = [...leftBehind, ...kept, 'young.body', 'folder.tmp'].filter((name) => existsSync(join(spool, name)))
  expect(left).toEqual([...kept, 'young.body', 'folder.tmp'])
})

test('a folder that was named for a database is refused, and leaves no spool', async () => {
  const dir = tempDir()
  mkdirSync(join(dir, 'app'))
  await expect(openSpool(locate(join(dir, 'app')))).rejects.toMatchObject({ code: 'DATABASE_INVALID' })
  expect(existsSync(join(dir, '.sqlite-backup'))).toBe(false)
})

describe('a spool in the temporary folder, where anyone may have made one before', () => {
  function temporarySpool() {
    const temp = tempDir()
    const { TMPDIR } = process.env
    process.env.TMPDIR = temp
    onTestFinished(() => {
      if (TMPDIR === undefined) delete process.env.TMPDIR
      else process.env.TMPDIR = TMPDIR
    })
    const path = join(tempDir(), 'out.db')
    const spoolDir = temporarySpoolDir(path)
    expect(dirname(dirname(spoolDir))).toBe(temp)
    return { path, spoolDir }
  }

  test('is made for its owner only, and taken again', async () => {
    const location = temporarySpool()
    expect(await openSpool(location)).toBe(location.spoolDir)
    expect(await openSpool(location)).toBe(location.spoolDir)
    for (const dir of [location.spoolDir, dirname(location.spoolDir)]) expect(statSync(dir).mode & 0o777).toBe(0o700)
  })

  test.each(['its parent', 'itself'])('is refused when others can write into %s', async (which) => {
    const location = temporarySpool()
    mkdirSync(location.spoolDir, { recursive: true, mode: 0o700 })
    chmodSync(which === 'itself' ? location.spoolDir : dirname(location.spoolDir), 0o770)
    await expect(openSpool(location)).rejects.toMatchObject({ code: 'SPOOL_FAILED', hint: expect.any(String) })
  })

  test('is refused when it is a link to another folder', async () => {
    const location = temporarySpool()
    symlinkSync(tempDir(), dirname(location.spoolDir))
    await expect(openSpool(location)).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
  })

  test.runIf(process.getuid?.() === 0).each(['its parent', 'itself'])(
    'is refused when another user owns %s',
    async (which) => {
      const location = temporarySpool()
      mkdirSync(location.spoolDir, { recursive: true, mode: 0o700 })
      chownSync(which === 'itself' ? location.spoolDir : dirname(location.spoolDir), 65534, 65534)
      await expect(openSpool(location)).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
    },
  )
})

if (process.getuid?.() !== 0) console.warn('SKIPPED TEST, a folder of another user: only root can make one.')

// Root may write everywhere: this one works as another user for a moment.
test.skipIf(process.getuid?.() !== 0)(
  'beside a database whose folder is read-only it lies in the temporary folder',
  async () => {
    const dir = tempDir()
    const path = join(dir, 'app.db')
    writeFileSync(path, 'x')
    chmodSync(dir, 0o755)
    process.seteuid?.(65534)
    onTestFinished(() => process.seteuid?.(0))
    const spool = await openSpool(locate(path))
    expect(spool.startsWith(join(tmpdir(), 'sqlite-backup-'))).toBe(true)
    expect(statSync(spool)).toMatchObject({ uid: 65534 })
    expect(await openSpool(locate(path))).toBe(spool)
    process.seteuid?.(0)
    // Somebody else's folder of that name is not entered.
    chownSync(join(spool, '..'), 12345, 12345)
    chmodSync(join(spool, '..'), 0o777)
    process.seteuid?.(65534)
    await expect(openSpool(locate(path))).rejects.toMatchObject({ code: 'SPOOL_FAILED' })
    process.seteuid?.(0)
    rmSync(join(spool, '..'), { recursive: true })
  },
)
