import type { Status } from '@sqlite-backup/core'
import { expect, it } from 'vitest'
import { renderStatus } from './status.ts'
import { plainStyle } from './style.ts'

const next = { job: 'hourly', at: '2026-11-20T04:00:00.000Z' }

function status(more: Partial<Status>): Status {
  return {
    healthy: true,
    at: '2026-11-20T03:30:00.000Z',
    databases: [{ database: 'app', storages: [{ storage: 'disk', healthy: true, offsite: true, problems: [] }], next }],
    stop: { backup: 'if-changed', deadlineMs: 8_000 },
    warnings: [],
    ...more,
  }
}

const shown = (more: Partial<Status>): string => renderStatus(status(more), plainStyle).join('\n')

it('says what a stop of the app does first, where schedules make the backups', () => {
  expect(shown({})).toContain('stop: when the app stops, a last backup if something has changed, within 8 s.')
  expect(shown({ stop: { backup: false, deadlineMs: 8_000 } })).toContain('stop: no last backup when the app stops')
  expect(shown({ databases: [] })).toBe('✖ There are no backups.')
})
