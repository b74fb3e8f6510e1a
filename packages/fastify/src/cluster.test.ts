import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createMachine } from '@sqlite-backup/core/testing'
import { expect, onTestFinished, test } from 'vitest'

const file = (name: string): string => fileURLToPath(new URL(`./testing/${name}`, import.meta.url))
const SLOT_MS = 1000

test('four workers of a cluster: one of them restores, and each slot of the schedule makes one backup', async () => {
  const root = mkdtempSync(join(tmpdir(), 'cluster-'))
  onTestFinished(() => rmSync(root, { recursive: true }))
  const first = createMachine({
    root,
    name: 'first',
    storage: 'shared',
    command: () => [process.execPath, file('app.ts')],
  })
  const single = await first.start()
  await single.add('before')
  await single.stop()

  const command = () => [process.execPath, file('cluster.ts')]
  const here = createMachine({ root, name: 'cluster', storage: 'shared', command })
  const app = await here.start({ SQLITE_BACKUP_SCHEDULE: '* * * * * *', SQLITE_BACKUP_STOP_DEADLINE: '20s' })
  // Fastify's own log says so, too, but not in these words.
  await app.waitFor(/(^listening \d+$[\s\S]*){4}/m)
  expect(await app.rows()).toEqual(['before'])
  expect(app.output().split('was restored from')).toHaveLength(2)

  const scheduled = async () => (await here.backups()).filter(({ tier }) => tier !== 'shutdown')
  for (let n = 0; (await scheduled()).length < 6; n++) {
    await app.add(`row ${n}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const rows = await app.rows()
  await app.stop()

  const slots = (await scheduled()).map(({ created }) => Math.floor(created.getTime() / SLOT_MS))
  // A run may start a little late; with one per worker there would be four times as many.
  expect(slots.length).toBeLessThanOrEqual(Math.max(...slots) - Math.min(...slots) + 3)
  const next = createMachine({
    root,
    name: 'next',
    storage: 'shared',
    command: () => [process.execPath, file('app.ts')],
  })
  const after = await next.start()
  expect(await after.rows()).toEqual(rows)
  expect(after.output()).not.toContain('forked')
  await after.stop()
})
