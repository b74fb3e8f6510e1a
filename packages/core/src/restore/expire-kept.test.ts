import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { expireKept } from './expire-kept.ts'

let dir: string
let target: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sqlite-backup-kept-'))
  target = join(dir, 'app.db')
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** One after the other, so that the last is the newest. */
async function make(...names: readonly string[]): Promise<void> {
  for (const name of names) {
    writeFileSync(join(dir, name), 'content')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const inDays = (days: number): number => Date.now() + days * 24 * 3600_000
const names = (): string[] => readdirSync(dir).sort()

describe('expireKept', () => {
  it('removes what has been set aside for more than a week, with its companions, but never the newest', async () => {
    await make('app.db', 'app.db.set-aside-00000001', 'app.db-wal.set-aside-00000001', 'app.db-wal.set-aside-00000002')
    expect(await expireKept({ target, nowMs: inDays(6) })).toEqual([])
    expect(names()).toHaveLength(4)
    const said = await expireKept({ target, nowMs: inDays(8) })
    expect(said).toEqual([expect.stringMatching(/^Removed .*app\.db-wal\.set-aside-00000001, .*\(14 B\).* 8 days ago/)])
    expect(names()).toEqual(['app.db', 'app.db-wal.set-aside-00000002'])
    expect(await expireKept({ target, nowMs: inDays(800) })).toEqual([])
  })

  it('removes what was replaced long ago, by the same rule, and finds it through a link', async () => {
    const [one, two] = ['app.db.before-20261101T030000Z-k3v7qa2m', 'app.db.before-20261101T030000Z-k3v7qa2m-2']
    await make('app.db', one, two)
    symlinkSync(target, join(dir, 'link.db'))
    expect(await expireKept({ target: join(dir, 'link.db'), nowMs: inDays(8) })).toHaveLength(1)
    expect(names()).toEqual(['app.db', two, 'link.db'])
  })

  it('leaves every name alone that is not one of ours', async () => {
    const theirs = [
      'app.db',
      'app.db-wal',
      'app.db.bak',
      'app.db.before-the-big-import',
      'app.db.before-20261101T030000Z-k3v7qa2m.txt',
      'app.db.set-aside-00000001.keep',
      'app.db.set-aside-0000000g',
      'my.app.db.set-aside-00000001',
      'app.db2.set-aside-00000001',
      'other.db.set-aside-00000001',
      '.app.db.notes.tmp',
    ]
    mkdirSync(join(dir, 'app.db.set-aside-ffffffff'))
    await make(...theirs, 'app.db.set-aside-aaaaaaaa')
    expect(await expireKept({ target, nowMs: inDays(900) })).toEqual([])
    expect(names()).toHaveLength(theirs.length + 2)
  })

  it('leaves alone what somebody opened or configured as a database', async () => {
    const [opened, configured] = ['app.db.set-aside-00000001', 'app.db.set-aside-00000002']
    await make(opened, `${opened}-wal`, configured, 'app.db.set-aside-00000003')
    expect(await expireKept({ target, spare: [join(dir, configured)], nowMs: inDays(900) })).toEqual([])
    expect(names()).toHaveLength(4)
  })

  it('removes images that killed restores left beside the target, after a day', async () => {
    await make('.app.db.0123456789ab.tmp', '.app.db.0123456789ab.tmp-journal', '.other.db.0123456789ab.tmp')
    await expireKept({ target, nowMs: inDays(0.9) })
    expect(names()).toHaveLength(3)
    await expireKept({ target, nowMs: inDays(1.1) })
    expect(names()).toEqual(['.other.db.0123456789ab.tmp'])
  })

  it('says nothing about a folder that is not there', async () => {
    expect(await expireKept({ target: join(dir, 'missing', 'app.db'), nowMs: inDays(0) })).toEqual([])
  })
})
