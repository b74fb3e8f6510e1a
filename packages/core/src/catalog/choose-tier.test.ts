import { expect, test } from 'vitest'
import { memory } from '../storage/memory.ts'
import { bytesBody } from '../storage/storage.ts'
import { withCount } from '../storage/with-count.ts'
import { chooseTier } from './choose-tier.ts'
import { exampleManifest, putExample } from './testing/example-manifest.ts'

test('a year of hourly runs gets one backup for each period', async () => {
  const storage = memory()
  const counts = new Map<string, number>()
  for (let day = 0; day < 40; day++) {
    for (const hour of [0, 12, 12.25]) {
      const created = new Date(Date.UTC(2026, 11, 1, 0, 17) + (day * 24 + hour) * 3_600_000)
      const tier = await chooseTier(storage, 'app', created)
      counts.set(tier, (counts.get(tier) ?? 0) + 1)
      await putExample(storage, { created, tier })
    }
  }
  // 2026-12-01 … 2027-01-09: the year's first backups are yearly and stand in for their month, week and day.
  expect(Object.fromEntries(counts)).toEqual({ yearly: 2, weekly: 5, daily: 33, hourly: 40, recent: 40 })
})

test('a body without a manifest, a backup known to be bad, and another database hold no period', async () => {
  const storage = memory()
  const orphan = exampleManifest({ tier: 'yearly' })
  await storage.put(orphan.body, bytesBody(Buffer.from('body')))
  await putExample(storage, { tier: 'yearly', database: 'app2' })
  expect(await chooseTier(storage, 'app', new Date('2026-11-20T04:00:00Z'))).toBe('yearly')

  const bad = await putExample(storage, { tier: 'yearly' })
  expect(await chooseTier(storage, 'app', new Date('2026-11-20T04:00:00Z'))).toBe('hourly')
  const isGood = ({ id }: { readonly id: string }): boolean => id !== bad.id
  expect(await chooseTier(storage, 'app', new Date('2026-11-20T04:00:00Z'), { isGood })).toBe('yearly')
})

test('it takes ten requests when every period is held', async () => {
  const inner = memory()
  const created = ['2026-01-02', '2026-11-02', '2026-11-16', '2026-11-20'].map((day) => `${day}T00:17:00.000Z`)
  for (const [index, tier] of (['yearly', 'monthly', 'weekly', 'daily'] as const).entries()) {
    await putExample(inner, { tier, created: created[index] ?? '' })
  }
  await putExample(inner, { tier: 'hourly', created: '2026-11-20T03:17:00.000Z' })
  const storage = withCount(inner)
  expect(await chooseTier(storage, 'app', new Date('2026-11-20T03:30:00Z'))).toBe('recent')
  expect(storage.total()).toBeLessThanOrEqual(10)
})
