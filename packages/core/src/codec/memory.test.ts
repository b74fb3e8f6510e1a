import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'

interface Report {
  readonly isSame: boolean
  readonly sizeBytes: number
  /** Peak resident memory above what the process had when it began. */
  readonly grownMiB: number
}

function measure(compression: string, megabytes: number, lock: string): Report {
  const child = join(import.meta.dirname, 'testing-memory-child.ts')
  return JSON.parse(
    execFileSync(process.execPath, [child, compression, String(megabytes), lock], { encoding: 'utf8' }),
  ) as Report
}

it.each([
  ['zst', 'open', 100],
  ['zst', 'locked', 130],
  ['none', 'locked', 130],
  ['gz', 'open', 130],
])('packs and unpacks 320 MiB of %s (%s) in no more memory than 80 MiB', (compression, lock, maxMiB) => {
  const short = measure(compression, 80, lock)
  const long = measure(compression, 320, lock)
  expect(long).toMatchObject({ isSame: true, sizeBytes: 320 * 1024 * 1024 })
  expect(short.isSame).toBe(true)
  expect(long.grownMiB - short.grownMiB).toBeLessThan(48)
  expect(long.grownMiB).toBeLessThan(maxMiB)
})
