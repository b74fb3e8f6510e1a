import { expect } from 'vitest'
import type { Example } from './example.ts'

/**
 * What every example must survive: it takes orders, is backed up while it runs, is killed with kill -9, loses its disk and
 * comes back with what was backed up; it is stopped, loses its disk again, and comes back with everything.
 */
export async function survivesTheWorstDay(example: Example): Promise<void> {
  const first = await example.start()
  expect(await first.items()).toEqual([])
  for (const item of ['tea', 'bread', 'honey']) await first.order(item)
  expect(await example.cli('backup')).toContain('Backed up shop')
  await first.order('too late')
  expect(await first.end('SIGKILL')).toBe('SIGKILL')
  example.loseDisk()

  const second = await example.start()
  expect(await second.items(), second.output()).toEqual(['tea', 'bread', 'honey'])
  await second.order('salt')
  await second.end('SIGTERM')
  expect(await example.cli('list'), second.output()).toContain('shutdown')
  example.loseDisk()

  const third = await example.start()
  expect(await third.items(), third.output()).toEqual(['tea', 'bread', 'honey', 'salt'])
  await third.end('SIGTERM')
}
