import { BackupError } from '@sqlite-backup/core'
import { expect, test } from 'vitest'
import type { AdminContext } from './admin-context.ts'
import { askInOrder } from './ask-in-order.ts'
import { createPatience } from './patience.ts'

/** What of a context is looked at: names, and how long to wait for them. */
function contextOf(...storages: string[]): AdminContext {
  const patience = createPatience(5, () => new Date(0))
  return { engine: { storages }, patience } as Partial<Record<keyof AdminContext, unknown>> as AdminContext
}

const never = new Promise<never>(() => undefined)

test('who says nothing is passed over, and asked to stop', async () => {
  const asked: AbortSignal[] = []
  const answer = await askInOrder(contextOf('slow', 'quick'), undefined, async ({ from, signal }) => {
    asked.push(signal)
    return from === 'slow' ? never : from
  })
  expect(answer).toBe('quick')
  expect(asked.map(({ aborted }) => aborted)).toEqual([true, false])
})

test('a storage that was named is the only one asked', async () => {
  const asking = askInOrder(contextOf('slow', 'quick'), 'slow', () => never)
  await expect(asking).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'slow did not answer within 5 ms.' })
})

test('one that could not be asked says more than one that has none; other errors are told at once', async () => {
  const error = (code: 'BACKUP_NOT_FOUND' | 'STORAGE_DENIED' | 'USAGE'): BackupError => new BackupError(code, code)
  const asking = askInOrder(contextOf('a', 'b'), undefined, async ({ from }) => {
    throw error(from === 'a' ? 'BACKUP_NOT_FOUND' : 'STORAGE_DENIED')
  })
  await expect(asking).rejects.toMatchObject({ code: 'STORAGE_DENIED' })
  const asked: string[] = []
  const wrong = askInOrder(contextOf('a', 'b'), undefined, async ({ from }) => {
    asked.push(from)
    throw error('USAGE')
  })
  await expect(wrong).rejects.toMatchObject({ code: 'USAGE' })
  expect(asked).toEqual(['a'])
})
