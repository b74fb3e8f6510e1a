import type { StorageStatus } from '@sqlite-backup/core'
import { expect, test } from 'vitest'
import { describeSafety } from './describe-safety.ts'

function storage(ageMs: number | undefined, rest: Partial<StorageStatus> = {}): StorageStatus {
  const created = new Date(Date.parse('2026-11-20T14:07:00Z') - (ageMs ?? 0)).toISOString()
  return {
    storage: 'disk',
    healthy: ageMs !== undefined,
    offsite: true,
    problems: ageMs === undefined ? ['There is no backup.'] : [],
    ...(ageMs === undefined
      ? {}
      : { newest: { id: `b${ageMs}`, created, ageMs, tier: 'hourly', storedSizeBytes: 1, level: 'stored' } }),
    ...rest,
  }
}

test('says until when the data is safe, and what a crash would lose', () => {
  expect(describeSafety({ storages: [storage(240_000)] })).toMatchObject({
    level: 'good',
    headline: 'Safe until 2026-11-20 14:03 UTC.',
    loss: 'A crash now would lose 4 minutes of changes.',
    safeUntil: '2026-11-20T14:03:00.000Z',
  })
})

test('a storage behind, or none elsewhere, is a warning; all of them bad is bad', () => {
  const behind = storage(9_000_000, { storage: 'offsite', healthy: false, problems: ['old'] })
  expect(describeSafety({ storages: [storage(1000), behind] })).toMatchObject({
    level: 'warning',
    headline: 'Safe until 2026-11-20 14:06 UTC, but offsite needs a look.',
  })
  expect(describeSafety({ storages: [storage(1000, { offsite: false })] }).level).toBe('warning')
  expect(describeSafety({ storages: [behind] }).level).toBe('bad')
})

test('no backup and no answer are told apart', () => {
  expect(describeSafety({ storages: [storage(undefined)] }).loss).toBe('A crash now would lose everything.')
  const silent = storage(undefined, { problems: ['403'] })
  expect(describeSafety({ storages: [silent] }).loss).toBe('What a crash now would lose is not known.')
})

test('a database that has not changed is safe until somebody last looked', () => {
  const beat = { at: '2026-11-20T14:06:00.000Z', state: 'unchanged' } as const
  expect(describeSafety({ storages: [storage(240_000, { beat })] })).toMatchObject({
    safeUntil: beat.at,
    loss: 'Nothing had changed since the newest backup then.',
  })
  const awake = { ...beat, state: 'awake' } as const
  expect(describeSafety({ storages: [storage(240_000, { beat: awake })] }).safeUntil).toBe('2026-11-20T14:03:00.000Z')
})
