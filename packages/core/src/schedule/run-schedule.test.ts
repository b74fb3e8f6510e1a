import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { every, parseSchedule, type Schedule } from '../config/schedule-text.ts'
import { type RunSchedule, runSchedule } from './run-schedule.ts'
import { slotClaims } from './slot-claims.ts'
import { slotAfter } from './slot-times.ts'
import { createWorld, type World } from './testing/world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const folders: string[] = []
const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

function spool(): string {
  const folder = mkdtempSync(join(tmpdir(), 'slots-'))
  folders.push(folder)
  return folder
}

/** One process that follows a schedule. `runs`: slot and time of each run. */
function follow(world: World, schedule: Schedule, spoolDir: string, more: Partial<RunSchedule> = {}) {
  const runs: { readonly slot: string; readonly at: string }[] = []
  const errors: unknown[] = []
  const stop = new AbortController()
  const ended = runSchedule({
    schedule,
    claims: slotClaims(spoolDir, 'job-test'),
    timer: world,
    jitterMs: 0,
    random: () => 0,
    signal: stop.signal,
    run: async (slotMs) => {
      runs.push({ slot: new Date(slotMs).toISOString(), at: new Date(world.now()).toISOString() })
    },
    onError: (error) => errors.push(error),
    ...more,
  })
  const end = async (): Promise<void> => {
    stop.abort()
    await ended
  }
  stops.push(end)
  return { runs, errors, end }
}

/** Every slot in a span, by asking for one after the other. */
function slotsOf(schedule: Schedule, fromMs: number, toMs: number): readonly string[] {
  const slots: string[] = []
  for (let at = slotAfter(schedule, fromMs); at !== undefined && at <= toMs; at = slotAfter(schedule, at)) {
    slots.push(new Date(at).toISOString())
  }
  return slots
}

describe('a schedule', () => {
  test('runs each slot of a simulated year once', async () => {
    const world = createWorld('2026-01-01T00:30:00.000Z')
    const schedule = parseSchedule('17 */6 * * *', 'Europe/Berlin')
    const { runs } = follow(world, schedule, spool(), { doneMs: world.now() })
    const start = world.now()
    await world.runUntil(start + 365 * DAY, 1)
    expect(runs.map(({ slot }) => slot)).toEqual(slotsOf(schedule, start, start + 365 * DAY))
    expect(runs.every(({ slot, at }) => slot === at)).toBe(true)
    expect(runs.length).toBeGreaterThan(1458)
  })

  test('four processes run each slot once between them', async () => {
    const world = createWorld('2026-01-01T00:30:00.000Z')
    const schedule = parseSchedule(every('1h'))
    const folder = spool()
    const workers = [0, 0.3, 0.31, 0.9].map((random) =>
      follow(world, schedule, folder, { random: () => random, jitterMs: 30_000, doneMs: world.now() }),
    )
    const start = world.now()
    await world.runUntil(start + 14 * DAY, workers.length)
    const slots = workers.flatMap(({ runs }) => runs.map(({ slot }) => slot)).sort()
    expect(slots).toEqual(slotsOf(schedule, start, start + 14 * DAY))
    // What they leave behind does not grow.
    expect(readdirSync(join(folder, 'slots')).length).toBeLessThanOrEqual(3)
  })

  test('makes up for what was missed with one run', async () => {
    const schedule = parseSchedule(every('1h'))
    const folder = spool()
    const before = createWorld('2026-01-01T00:30:00.000Z')
    const first = follow(before, schedule, folder, { doneMs: before.now() })
    await before.runUntil(Date.parse('2026-01-01T02:30:00.000Z'), 1)
    await first.end()
    const after = createWorld('2026-01-09T07:45:00.000Z')
    const second = follow(after, schedule, folder)
    await after.runUntil(Date.parse('2026-01-09T08:30:00.000Z'), 1)
    expect(second.runs).toEqual([
      { slot: '2026-01-09T07:00:00.000Z', at: '2026-01-09T07:45:00.000Z' },
      { slot: '2026-01-09T08:00:00.000Z', at: '2026-01-09T08:00:00.000Z' },
    ])
  })

  test('starts a little later, within its jitter and a tenth of the time between runs', async () => {
    const world = createWorld('2026-01-01T00:30:00.000Z')
    const options = { random: () => 0.5, doneMs: world.now() }
    const rare = follow(world, parseSchedule(every('1h')), spool(), { ...options, jitterMs: 60_000 })
    const often = follow(world, parseSchedule(every('1m')), spool(), { ...options, jitterMs: 60_000 })
    await world.runUntil(Date.parse('2026-01-01T01:02:00.000Z'), 2)
    expect(rare.runs.map(({ at }) => at)).toEqual(['2026-01-01T01:00:30.000Z'])
    expect(often.runs[0]?.at).toBe('2026-01-01T00:31:03.000Z')
  })

  test('never overlaps: a run that takes longer than a slot skips what passed meanwhile', async () => {
    const world = createWorld('2026-01-01T00:30:00.000Z')
    const slots: string[] = []
    let atWork = 0
    const stop = new AbortController()
    stops.push(async () => stop.abort())
    follow(world, parseSchedule(every('1h')), spool(), {
      doneMs: world.now(),
      run: async (slotMs) => {
        atWork += 1
        expect(atWork).toBe(1)
        slots.push(new Date(slotMs).toISOString().slice(11, 16))
        await world.sleepUntil(world.now() + 2.5 * HOUR, stop.signal)
        atWork -= 1
      },
    })
    await world.runUntil(Date.parse('2026-01-01T09:00:00.000Z'), 1)
    expect(slots).toEqual(['01:00', '03:00', '06:00', '08:00'])
  })

  test('tries again after a failure, and goes on', async () => {
    const world = createWorld('2026-01-01T00:30:00.000Z')
    const tries: string[] = []
    follow(world, parseSchedule(every('1h')), spool(), {
      doneMs: world.now(),
      run: async () => {
        tries.push(new Date(world.now()).toISOString().slice(11, 16))
        if (tries.length < 6) throw new Error('no')
      },
    })
    await world.runUntil(Date.parse('2026-01-01T03:30:00.000Z'), 1)
    expect(tries).toEqual(['01:00', '01:05', '01:20', '02:00', '02:05', '02:20', '03:00'])
  })

  test('goes on after its own files failed it', async () => {
    const world = createWorld('2026-01-01T00:30:00.000Z')
    const good = slotClaims(spool(), 'job-test')
    let broken = true
    const claims = {
      ...good,
      claim: async (slotMs: number, attempt: number, atMs: number) => {
        if (broken) throw new Error('no space')
        return good.claim(slotMs, attempt, atMs)
      },
    }
    const { runs, errors } = follow(world, parseSchedule(every('1h')), spool(), { claims, doneMs: world.now() })
    await world.runUntil(Date.parse('2026-01-01T01:12:00.000Z'), 1)
    expect([runs.length, errors.length]).toEqual([0, 3])
    broken = false
    await world.runUntil(Date.parse('2026-01-01T01:20:00.000Z'), 1)
    expect(runs).toHaveLength(1)
  })

  test('a clock that ran a year ahead and is set right does not silence it', async () => {
    const world = createWorld('2027-01-01T00:30:00.000Z')
    const { runs } = follow(world, parseSchedule('0 3 * * *'), spool(), { doneMs: world.now() })
    await world.runUntil(Date.parse('2027-01-01T10:00:00.000Z'), 1)
    world.set(Date.parse('2026-01-01T10:00:00.000Z'))
    await world.runUntil(Date.parse('2026-01-03T10:00:00.000Z'), 1)
    expect(runs.map(({ slot }) => slot.slice(0, 10))).toEqual(['2027-01-01', '2026-01-01', '2026-01-02', '2026-01-03'])
  })

  test('a machine that slept runs once when it wakes', async () => {
    const world = createWorld('2026-01-01T00:30:00.000Z')
    const { runs } = follow(world, parseSchedule(every('1h')), spool(), { doneMs: world.now() })
    await world.runUntil(Date.parse('2026-01-01T01:30:00.000Z'), 1)
    world.set(Date.parse('2026-01-02T17:10:00.000Z'))
    await world.runUntil(Date.parse('2026-01-02T18:30:00.000Z'), 1)
    expect(runs.map(({ at }) => at.slice(8, 16))).toEqual(['01T01:00', '02T17:10', '02T18:00'])
  })

  test('ends when it is told to, while it waits', async () => {
    const world = createWorld('2026-01-01T00:30:00.000Z')
    const { runs, end } = follow(world, parseSchedule(every('1h')), spool(), { doneMs: world.now() })
    await world.runUntil(Date.parse('2026-01-01T00:40:00.000Z'), 1)
    await end()
    expect(runs).toEqual([])
  })
})
