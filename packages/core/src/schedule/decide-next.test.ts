import { expect, test } from 'vitest'
import { every, parseSchedule } from '../config/schedule-text.ts'
import { type Attempt, decideNext } from './decide-next.ts'

const hourly = parseSchedule(every('1h'))
const daily = parseSchedule('0 3 * * *')
const at = (text: string): number => Date.parse(`2026-11-20T${text}:00.000Z`)
const attempt = (slot: string, number: number, more: Partial<Attempt> = {}): Attempt => ({
  slotMs: at(slot),
  number,
  atMs: at(slot),
  ...more,
})

function next(now: string, attempts: readonly Attempt[] = [], doneMs?: number, schedule = hourly): string {
  const found = decideNext(schedule, { nowMs: at(now), attempts, doneMs })
  const time = (ms: number): string => new Date(ms).toISOString().slice(8, 16)
  return found === undefined ? 'never' : `${time(found.slotMs)} #${found.attempt} from ${time(found.atMs)}`
}

test('what was never run is run, once, however long nothing ran', () => {
  expect(next('12:20')).toBe('20T12:00 #1 from 20T12:00')
  expect(next('12:20', [attempt('03:00', 1, { outcome: 'done' })])).toBe('20T12:00 #1 from 20T12:00')
})

test('what is done is done until the next slot', () => {
  expect(next('12:20', [attempt('12:00', 1, { outcome: 'done' })])).toBe('20T13:00 #1 from 20T13:00')
  expect(next('12:20', [], at('12:03'))).toBe('20T13:00 #1 from 20T13:00')
  expect(next('12:20', [], at('11:59'))).toBe('20T12:00 #1 from 20T12:00')
})

test('a run that is at work is waited for', () => {
  expect(next('12:20', [attempt('12:00', 1)])).toBe('20T13:00 #1 from 20T13:00')
})

test('a run that died is made up for when it was silent for an hour, if the next slot is not sooner', () => {
  expect(next('03:20', [attempt('03:00', 1)], undefined, daily)).toBe('20T03:00 #2 from 20T04:00')
  expect(next('03:20', [attempt('03:00', 1, { atMs: at('03:10') })], undefined, daily)).toBe(
    '20T03:00 #2 from 20T04:10',
  )
})

test('a run that failed is tried twice more', () => {
  const first = attempt('12:00', 1, { outcome: 'failed', endedMs: at('12:01') })
  const second = attempt('12:00', 2, { outcome: 'failed', endedMs: at('12:07') })
  const third = attempt('12:00', 3, { outcome: 'failed', endedMs: at('12:23') })
  expect(next('12:02', [first])).toBe('20T12:00 #2 from 20T12:06')
  expect(next('12:08', [second, first])).toBe('20T12:00 #3 from 20T12:22')
  expect(next('12:24', [first, third, second])).toBe('20T13:00 #1 from 20T13:00')
})

test('no retry comes later than the next slot', () => {
  const failed = attempt('12:00', 2, { outcome: 'failed', endedMs: at('12:50') })
  expect(next('12:51', [failed])).toBe('20T13:00 #1 from 20T13:00')
})

test('claims and backups of the future do not stop the present', () => {
  const future = attempt('23:00', 1, { outcome: 'done' })
  expect(next('12:20', [future], at('22:00'))).toBe('20T12:00 #1 from 20T12:00')
})
