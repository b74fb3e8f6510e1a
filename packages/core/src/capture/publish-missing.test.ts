import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { ensureSpoolState, readSpoolState } from '../spool/state.ts'
import { publishMissing } from './publish-missing.ts'

// What `link` answers here; as no volume without hard links can be mounted everywhere, this one answer is made up.
const refused = vi.hoisted(() => ({ code: '' }))
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>()
  const link: typeof real.link = async (from, to) => {
    if (refused.code === '') return real.link(from, to)
    throw Object.assign(new Error(`${refused.code}: operation not permitted, link`), { code: refused.code })
  }
  return { ...real, link }
})

let dir: string
let image: string
let target: string

beforeEach(() => {
  refused.code = ''
  dir = mkdtempSync(join(tmpdir(), 'publish-missing-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  image = join(dir, '.image')
  target = join(dir, 'app.db')
  writeFileSync(image, 'new')
})

const publish = () => publishMissing({ image, target, isOccupied: false, emit() {} })

describe.each(['', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'])('on a volume whose answer to link is "%s"', (code) => {
  beforeEach(() => {
    refused.code = code
  })

  test('the image gets the name that was missing, and keeps no other', async () => {
    expect(await publish()).toEqual([])
    expect(readFileSync(target, 'utf8')).toBe('new')
    expect(readdirSync(dir)).toEqual(['app.db'])
  })

  test('a file that somebody else made meanwhile is left alone, and so is the image', async () => {
    writeFileSync(target, 'theirs')
    await expect(publish()).rejects.toMatchObject({ code: 'RESTORE_TARGET_EXISTS' })
    expect(readFileSync(target, 'utf8')).toBe('theirs')
    expect(existsSync(image)).toBe(true)
  })

  test('a spool says once who writes from it', async () => {
    const { writer } = await ensureSpoolState(dir)
    expect(await ensureSpoolState(dir)).toEqual({ writer })
    expect(await readSpoolState(dir)).toEqual({ writer })
  })
})

test('any other answer to link is told as it is', async () => {
  refused.code = 'EIO'
  await expect(publish()).rejects.toMatchObject({ code: 'EIO' })
  expect(existsSync(target)).toBe(false)
})
