import { describe, expect, test } from 'vitest'
import { backupId } from '../catalog/backup-id.ts'
import type { Beat } from './beat.ts'
import { judgeFreshness } from './judge-freshness.ts'

const at = (text: string): string => `2026-11-${text.length === 5 ? `20T${text}` : text.replace(' ', 'T')}:00.000Z`
const idAt = (text: string): string => backupId(new Date(at(text)), Buffer.from('abcde'))
const newest = { id: idAt('03:00'), created: new Date(at('03:00')) }

function beat(state: Beat['state'], time: string, more: Partial<Beat> = {}): Beat {
  return {
    writer: 'a',
    since: at('01:00'),
    at: at(time),
    state,
    ...(state === 'awake' ? {} : { backup: newest.id }),
    ...more,
  }
}

function judge(beats: readonly Beat[], now = '30 12:00'): string {
  const { asOf, isAsleep } = judgeFreshness(newest, beats, new Date(at(now)))
  return `${asOf.toISOString().slice(8, 16)}${isAsleep ? ' asleep' : ''}`
}

describe('how fresh the newest backup is', () => {
  test('without a sign of life: as fresh as it is', () => {
    expect(judge([])).toBe('20T03:00')
  })

  test('seen unchanged: as fresh as that look', () => {
    expect(judge([beat('unchanged', '11:00')])).toBe('20T11:00')
    expect(judge([beat('unchanged', '11:00'), beat('unchanged', '09:00', { writer: 'b' })])).toBe('20T11:00')
  })

  test('a process that only started has looked at nothing', () => {
    expect(judge([beat('awake', '11:00')])).toBe('20T03:00')
  })

  test('a clean stop is good at any age', () => {
    expect(judge([beat('asleep', '11:00')])).toBe('20T11:00 asleep')
  })

  test('a writer that woke up is asleep no more', () => {
    expect(judge([beat('awake', '12:00', { since: at('12:00') })])).toBe('20T03:00')
  })

  test('another that runs is not covered by one that sleeps', () => {
    const old = beat('asleep', '12:05', { since: at('01:00') })
    const fresh = beat('awake', '12:00', { writer: 'b', since: at('12:00') })
    expect(judge([old, fresh])).toBe('20T12:05')
  })

  test('one that died and was replaced does not keep the next from sleeping', () => {
    const died = beat('awake', '05:00', { writer: 'a', since: at('05:00') })
    const next = beat('asleep', '09:00', { writer: 'b', since: at('06:00') })
    expect(judge([died, next])).toBe('20T09:00 asleep')
  })

  test('of two on one spool, the old one closing last does not put the new one to sleep', () => {
    const old = beat('asleep', '12:05', { instance: 'old', since: at('01:00') })
    expect(judge([old, beat('awake', '12:00', { instance: 'new', since: at('12:00') })])).toBe('20T12:05')
    expect(judge([old, beat('asleep', '13:00', { instance: 'new', since: at('12:00') })])).toBe('20T13:00 asleep')
  })

  test('a crash before a clean run of the same writer, or of an older version, does not keep it from sleeping', () => {
    const next = beat('asleep', '09:00', { instance: 'next', since: at('06:00') })
    expect(judge([beat('awake', '05:00', { instance: 'died', since: at('05:00') }), next])).toBe('20T09:00 asleep')
    expect(judge([beat('unchanged', '05:00', { since: at('04:00') }), next])).toBe('20T09:00 asleep')
  })

  test('one that is heard of after the one that replaced it started runs on, as fresh as its last look', () => {
    const recycled = beat('asleep', '09:00', { instance: 'b', since: at('06:00') })
    const survivor = beat('unchanged', '05:00', { instance: 'a', alive: at('10:00') })
    expect(judge([survivor, recycled])).toBe('20T09:00')
    expect(judge([survivor])).toBe('20T05:00')
  })

  test('a backup that was made since the clean stop shows that somebody runs', () => {
    const beats = [beat('asleep', '02:30', { backup: idAt('02:00') })]
    expect(judge(beats)).toBe('20T03:00')
  })

  test('a state that never reached this storage makes nothing fresh', () => {
    expect(judge([beat('unchanged', '11:00', { backup: idAt('10:00') })])).toBe('20T03:00')
    expect(judge([beat('asleep', '11:00', { backup: idAt('10:00') })])).toBe('20T03:00')
    expect(judge([beat('asleep', '11:00', { backup: 'nonsense' })])).toBe('20T03:00')
  })

  test('after a restore the state is that of an older backup', () => {
    expect(judge([beat('asleep', '11:00', { backup: idAt('01:00') })])).toBe('20T11:00 asleep')
  })

  test('signs of the future are not believed', () => {
    expect(judge([beat('unchanged', '30 12:10'), beat('asleep', '30 13:00', { writer: 'b' })], '30 12:00')).toBe(
      '20T03:00',
    )
    expect(judge([beat('unchanged', '30 12:04')], '30 12:00')).toBe('30T12:00')
  })

  test('a backup of the future is as fresh as it says', () => {
    expect(judge([], '20 01:00')).toBe('20T03:00')
  })
})
