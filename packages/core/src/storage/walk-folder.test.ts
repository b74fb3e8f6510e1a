import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { compareKeys } from './key.ts'
import { listKeys } from './list-keys.ts'
import { fakeClock } from './testing/fake-clock.ts'
import { walkFolder } from './walk-folder.ts'
import { walkPages } from './walk-pages.ts'

const hidden: ReadonlySet<string> = new Set()
const keys = Array.from({ length: 500 }, (_, i) => (i % 5 === 0 ? `a/${i}/${i}` : `a/${i}`)).sort(compareKeys)
let root: string

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'sqlite-backup-walk-'))
  for (const key of keys) {
    mkdirSync(join(root, key, '..'), { recursive: true })
    writeFileSync(join(root, key), '')
  }
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

async function all(lines: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = []
  for await (const line of lines) found.push(line)
  return found
}

describe('walkFolder', () => {
  it('shows a folder in order, however few of its names it holds at a time', async () => {
    for (const maxNames of [1, 7, 250, 500, 501]) {
      expect(await all(walkFolder(root, { hidden, maxNames }))).toEqual(keys)
      const folded = await all(walkFolder(root, { hidden, maxNames, prefix: 'a/', delimiter: '/', after: 'a/3' }))
      const model = listKeys(keys, { prefix: 'a/', delimiter: '/', after: 'a/3' })
      expect(folded).toEqual([...model.keys, ...model.prefixes].sort(compareKeys))
    }
  })

  it('shows nothing of a folder that is not there, or is a file', async () => {
    expect(await all(walkFolder(root, { hidden, prefix: 'nothing/' }))).toEqual([])
    expect(await all(walkFolder(root, { hidden, prefix: 'a/1/' }))).toEqual([])
    expect(await all(walkFolder(join(root, 'nothing'), { hidden }))).toEqual([])
  })
})

describe('walkPages', () => {
  it('goes on behind a page, from the walk it kept or anew, with the same result', async () => {
    const clock = fakeClock()
    const pages = walkPages(root, clock)
    const first = await pages.next({ hidden }, 100)
    expect(first).toEqual({ lines: keys.slice(0, 100), cursor: keys[99] })
    const cursor = first.cursor ?? ''
    for (const waitMs of [0, 0, 60_000]) {
      clock.advance(waitMs)
      expect((await pages.next({ hidden, cursor }, 50)).lines).toEqual(keys.slice(100, 150))
    }
    const elsewhere = await walkPages(root, clock).next({ hidden, cursor: keys[399] ?? '' }, 100)
    expect(elsewhere).toEqual({ lines: keys.slice(400) })
  })

  it('shows a file that appeared since, once the kept walk is old', async () => {
    const clock = fakeClock()
    const pages = walkPages(root, clock)
    const { cursor = '' } = await pages.next({ hidden }, 499)
    writeFileSync(join(root, 'z'), '')
    clock.advance(60_000)
    expect(await pages.next({ hidden, cursor }, 10)).toEqual({ lines: [keys[499], 'z'] })
    rmSync(join(root, 'z'))
  })
})
