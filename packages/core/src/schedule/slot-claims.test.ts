import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { slotClaims } from './slot-claims.ts'

const dir = mkdtempSync(join(tmpdir(), 'claims-'))
afterAll(() => rmSync(dir, { recursive: true }))
let count = 0
const spool = (): string => join(dir, `${count++}`)
const slot = Date.parse('2026-11-20T03:00:00.000Z')

test('of many, one claims a slot; each attempt is a claim of its own', async () => {
  const claims = slotClaims(spool(), 'job-hourly')
  const won = await Promise.all(Array.from({ length: 20 }, () => claims.claim(slot, 1, slot + 5)))
  expect(won.filter(Boolean)).toHaveLength(1)
  expect(await claims.claim(slot, 2, slot + 9)).toBe(true)
  expect(await claims.claim(slot, 2, slot + 9)).toBe(false)
})

test('remembers how an attempt went', async () => {
  const claims = slotClaims(spool(), 'job-hourly')
  expect(await claims.read()).toEqual([])
  await claims.claim(slot, 1, slot + 5)
  expect(await claims.read()).toEqual([{ slotMs: slot, number: 1, atMs: slot + 5 }])
  const done = { slotMs: slot, number: 1, atMs: slot + 5, outcome: 'done', endedMs: slot + 90 } as const
  await claims.finish(done)
  expect(await claims.read()).toEqual([done])
})

test('jobs with similar names do not meet', async () => {
  const folder = spool()
  const [a, b] = [slotClaims(folder, 'job-a'), slotClaims(folder, 'job-a-20261120T030000')]
  expect([await a.claim(slot, 1, slot), await b.claim(slot, 1, slot)]).toEqual([true, true])
  expect([(await a.read()).length, (await b.read()).length]).toEqual([1, 1])
})

test('keeps the newest two slots, and what a wrong clock left in the future until its time has come', async () => {
  const folder = spool()
  const claims = slotClaims(folder, 'job-hourly')
  await claims.claim(slot + 100 * 3_600_000, 1, slot)
  for (let i = 0; i < 5; i++) await claims.claim(slot + i * 3_600_000, 1, slot)
  const slots = (await claims.read()).map(({ slotMs }) => (slotMs - slot) / 3_600_000)
  expect(slots.sort((a, b) => a - b)).toEqual([3, 4, 100])
})

test('a claim that was cut by a crash is still a claim, and other files are none of ours', async () => {
  const folder = spool()
  const claims = slotClaims(folder, 'job-hourly')
  await claims.claim(slot, 1, slot)
  const [name = ''] = readdirSync(join(folder, 'slots'))
  writeFileSync(join(folder, 'slots', name), '')
  writeFileSync(join(folder, 'slots', 'notes.txt'), 'x')
  writeFileSync(join(folder, 'slots', 'job-hourly-20261399T990000.000Z-1.json'), '{}')
  expect(await claims.read()).toEqual([{ slotMs: slot, number: 1, atMs: slot }])
  expect(await claims.claim(slot, 1, slot)).toBe(false)
})

test('of six processes, one claims', async () => {
  const folder = spool()
  const code = `
    const { slotClaims } = await import(${JSON.stringify(join(import.meta.dirname, 'slot-claims.ts'))})
    const won = await slotClaims(${JSON.stringify(folder)}, 'job-hourly').claim(${slot}, 1, ${slot})
    console.log(won)`
  const answers = await Promise.all(
    Array.from(
      { length: 6 },
      () =>
        new Promise<string>((resolve) => {
          let text = ''
          const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
            env: { ...process.env, NODE_OPTIONS: '' },
          })
          child.stdout.on('data', (chunk) => {
            text += chunk
          })
          child.on('close', () => resolve(text.trim()))
        }),
    ),
  )
  expect(answers.sort()).toEqual(['false', 'false', 'false', 'false', 'false', 'true'])
})
