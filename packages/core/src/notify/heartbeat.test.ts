import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hiddenText } from '../config/secret.ts'
import { type BackupEvents, createEventBus, type Logger } from '../events.ts'
import { createHeartbeat, type Heartbeat } from './heartbeat.ts'
import { type Listener, listen } from './testing/listener.ts'

let listener: Listener
let heartbeat: Heartbeat
let lines: string[]
let bus = createEventBus(undefined)

beforeEach(async () => {
  listener = await listen('/0bc3-secret')
  lines = []
  const note = (fields: object, message: string): void => {
    lines.push(`${message} ${JSON.stringify(fields)}`)
  }
  const log: Logger = { debug: note, info: note, warn: note, error: note }
  bus = createEventBus(log)
  heartbeat = createHeartbeat(hiddenText('notify.heartbeat', listener.url), { bus, log, pauseMs: 1 })
})
afterEach(async () => {
  await heartbeat.close(0)
  await listener.close()
})

const base = (database: string) => ({ runId: 'r', database, at: '2026-11-20T12:00:00.000Z' })
const started = (database = 'app') =>
  bus.emit('backup.started', { ...base(database), trigger: 'schedule', tier: 'hourly' })
const failed = (database = 'app') =>
  bus.emit('backup.failed', { ...base(database), error: { code: 'BACKUP_FAILED', message: 'The disk is gone.' } })
const unchanged = (database = 'app') =>
  bus.emit('backup.unchanged', { ...base(database), id: 'x', trigger: 'schedule', storages: ['disk'] })
const succeeded = (database = 'app') =>
  bus.emit('backup.succeeded', {
    ...base(database),
    id: 'x',
    tier: 'hourly',
    trigger: 'schedule',
    storages: ['disk'],
    plainSizeBytes: 1,
    storedSizeBytes: 1,
    durationMs: 1,
  } satisfies BackupEvents['backup.succeeded'])

async function heard(): Promise<readonly string[]> {
  await heartbeat.close(10_000)
  return listener.heard.map(({ path, body }) => `${path.replace('/0bc3-secret', '') || 'ok'} ${body}`.trim())
}

describe('the heartbeat', () => {
  test('hears of a start and its end, in order', async () => {
    listener.answers = [503]
    started()
    succeeded()
    started()
    unchanged()
    started()
    failed()
    expect(await heard()).toEqual([
      '/start',
      '/start',
      'ok',
      '/start',
      'ok',
      '/start',
      '/fail app: BACKUP_FAILED: The disk is gone.',
    ])
  })

  test('one database that works does not hide one that fails', async () => {
    failed('app')
    succeeded('logs')
    succeeded('app')
    expect(await heard()).toEqual([
      '/fail app: BACKUP_FAILED: The disk is gone.',
      '/fail app: BACKUP_FAILED: The disk is gone.',
      'ok',
    ])
  })

  test('that cannot be told is logged, without its URL', async () => {
    listener.answers = [403, 'hang-up', 'hang-up', 'hang-up']
    started()
    succeeded()
    expect(await heard()).toHaveLength(4)
    expect(lines).toEqual([
      'The heartbeat could not be told. It answered 403. {"heartbeat":"/start"}',
      expect.stringContaining('The heartbeat could not be told. It could not be reached'),
    ])
    expect(lines.join()).not.toMatch(/0bc3|127\.0/)
  })

  test('that does not answer is given up when the engine closes', async () => {
    listener.answers = ['silence']
    started()
    await heartbeat.close(20)
    expect(lines).toHaveLength(1)
  })
})
