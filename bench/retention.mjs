// Retention: deciding about 100,000 backups, and planning a prune of a storage that holds them, against sorting the list.
//
//   node bench/retention.mjs      about half a minute
import { backupId } from '../packages/core/src/catalog/backup-id.ts'
import { bodyKey, catalogKey } from '../packages/core/src/catalog/keys.ts'
import { tiers } from '../packages/core/src/catalog/manifest.ts'
import { resolveRetention } from '../packages/core/src/config/retention.ts'
import { decideRetention } from '../packages/core/src/prune/decide-retention.ts'
import { planPrune } from '../packages/core/src/prune/plan-prune.ts'
import { memory } from '../packages/core/src/storage/memory.ts'
import { bytesBody } from '../packages/core/src/storage/storage.ts'
import { median, table } from './table.mjs'

const COUNT = 100_000
const ROUNDS = 9
const now = new Date('2026-11-20T12:00:00.000Z')
const policy = resolveRetention({})

const backups = Array.from({ length: COUNT }, (_, i) => {
  const created = new Date(now.getTime() - (COUNT - i) * 600_000)
  const id = backupId(created, Buffer.from([0, i >>> 24, i >>> 16, i >>> 8, i]))
  return { id, created, tier: tiers[(i * 7) % tiers.length], isChecked: i % 24 === 0, isBad: i % 1000 === 1 }
})
// In the order of a listing that is not sorted at all.
const shuffled = [...backups].sort((a, b) => (a.id.slice(-4) < b.id.slice(-4) ? -1 : 1))

function time(run) {
  const runs = Array.from({ length: ROUNDS }, () => {
    const began = performance.now()
    run()
    return performance.now() - began
  })
  return median(runs)
}

const sortMs = time(() => [...shuffled].sort((a, b) => b.created - a.created))
const decideMs = time(() => decideRetention(shuffled, policy, { now }))

const storage = memory()
for (const backup of backups) {
  const facts = { ...backup, database: 'app', compression: 'zst', encrypted: false, stored: { sizeBytes: 4 } }
  await storage.put(bodyKey(facts), bytesBody(Buffer.from('body')))
  await storage.put(catalogKey(facts), bytesBody(Buffer.from('{}')))
}
let requests = 0
const counted = {
  ...storage,
  list(options) {
    requests += 1
    return storage.list(options)
  },
}
await storage.list()
globalThis.gc?.()
const heapBefore = process.memoryUsage().heapUsed
const began = performance.now()
const plan = await planPrune(counted, 'app', { policy, now, isInUse: () => false, isTip: () => false })
const planMs = performance.now() - began

table(`${COUNT} backups`, [
  {
    what: 'decideRetention, ms',
    value: decideMs,
    'sorting them, ms': sortMs,
    ratio: decideMs / sortMs,
    goal: '≤ 200 ms',
  },
  { what: 'planPrune of a storage in memory, ms', value: planMs, 'sorting them, ms': sortMs, ratio: planMs / sortMs },
])
console.log(
  `\n${plan.remove.length} would go, ${plan.kept.count} stay: ${requests} LISTs, no GET, heap +${Math.round((process.memoryUsage().heapUsed - heapBefore) / 1e6)} MB.`,
)
