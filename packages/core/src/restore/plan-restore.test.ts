import { describe, expect, it } from 'vitest'
import type { Inspection } from '../capture/protocol.ts'
import type { Manifest } from '../catalog/manifest.ts'
import { planRestore, type RestoreFacts } from './plan-restore.ts'

const MB = 1_000_000

const manifest: Manifest = {
  format: 1,
  id: '20261120T030000Z-abcdefgh',
  database: 'app',
  created: '2026-11-20T03:00:00.000Z',
  tier: 'daily',
  trigger: 'schedule',
  lineage: { writer: 'w', environment: 'production' },
  source: { pageSize: 4096, pageCount: 25_000, journalMode: 'wal', userVersion: 0, applicationId: 0, schemaCookie: 1 },
  body: 'app/backups/daily/x.db.zst',
  plain: { sizeBytes: 100 * MB, sha256: '' },
  stored: { sizeBytes: 40 * MB, sha256: '' },
  compression: 'zst',
  engine: { version: '1', sqlite: '3', node: '24' },
}

function database(more: Partial<Inspection> = {}): Inspection {
  return {
    state: 'database',
    journalMode: 'wal',
    pageSize: 4096,
    sizeBytes: 80 * MB,
    walSizeBytes: 0,
    device: 1,
    ...more,
  }
}

const missing: Inspection = { state: 'missing', sizeBytes: 0, walSizeBytes: 0, device: 1 }

function facts(more: Partial<RestoreFacts> = {}): RestoreFacts {
  return {
    manifest,
    storage: 's3',
    target: '/data/app.db',
    mode: 'in-place',
    overwrite: false,
    found: database(),
    targetVolume: { device: 1, freeBytes: 10_000 * MB },
    spoolVolume: { device: 1, freeBytes: 10_000 * MB },
    reserveBytes: 64 * MB,
    spoolReserveBytes: 64 * MB,
    ...more,
  }
}

const plan = (more: Partial<RestoreFacts> = {}) => planRestore(facts(more), new Date('2026-11-20T08:00:00Z'))

describe('planRestore', () => {
  it('says what will be lost, what is kept and how long writers wait', () => {
    expect(plan()).toMatchObject({
      how: 'online',
      keepsSafetyCopy: true,
      id: manifest.id,
      targetSizeBytes: 80 * MB,
      pauseMs: 900,
      storage: 's3',
      target: '/data/app.db',
    })
    expect(plan().notes).toEqual([
      'The backup was made 5 hours ago: what was written to /data/app.db since then will be gone from it.',
      'What is there now (80 MB) is copied first and kept as a backup of tier pre-restore.',
      'Apps may stay connected: readers keep what they see, writers wait for about 1 s.',
    ])
    expect(plan().refusal).toBeUndefined()
  })

  it('loses nothing where no database is', () => {
    expect(plan({ found: missing })).toMatchObject({
      how: 'link',
      keepsSafetyCopy: false,
      needsBytes: 100 * MB,
      notes: [],
    })
    expect(plan({ found: missing, mode: 'new-file' })).toMatchObject({ how: 'new-file', keepsSafetyCopy: false })
    expect(plan({ found: { ...missing, state: 'empty' } })).toMatchObject({ how: 'online', keepsSafetyCopy: false })
  })

  it('counts the room for the image, the log, the growth and the safety copy', () => {
    expect(plan().needsBytes).toBe(Math.ceil((100 + 20 + 105) * MB))
    const enough = 225 * MB + 80 * MB + 64 * MB
    expect(plan({ targetVolume: { device: 1, freeBytes: enough } }).refusal).toBeUndefined()
    expect(plan({ targetVolume: { device: 1, freeBytes: enough - 1 } }).refusal?.code).toBe('SPOOL_NO_SPACE')
    const elsewhere = { device: 2, freeBytes: 80 * MB + 64 * MB }
    expect(
      plan({ targetVolume: { device: 1, freeBytes: enough - 80 * MB }, spoolVolume: elsewhere }).refusal,
    ).toBeUndefined()
    expect(plan({ spoolVolume: { ...elsewhere, freeBytes: elsewhere.freeBytes - 1 } }).refusal).toMatchObject({
      code: 'SPOOL_NO_SPACE',
      message:
        'The volume of the spool has 144 MB free. The restore needs 80 MB, and 64 MB must stay free for the app.',
    })
  })

  it('counts no room for an image that lies there already', () => {
    expect(plan({ isUnpacked: true }).needsBytes).toBe(Math.ceil((20 + 105) * MB))
    expect(plan({ isUnpacked: true, found: missing }).needsBytes).toBe(0)
  })

  it('leaves each volume its own reserve', () => {
    const stick = { device: 1, freeBytes: 200 * MB }
    const disk = { device: 2, freeBytes: 20_000 * MB }
    const onStick = { mode: 'new-file', found: missing, targetVolume: stick, spoolVolume: disk } as const
    expect(plan({ ...onStick, spoolReserveBytes: 13_500 * MB }).refusal).toBeUndefined()
    expect(plan({ ...onStick, reserveBytes: 101 * MB }).refusal?.code).toBe('SPOOL_NO_SPACE')
  })

  it('says who has to be stopped when pages have another size in WAL mode', () => {
    const other = plan({ found: database({ pageSize: 8192 }) })
    expect(other.how).toBe('replace')
    expect(other.notes.at(-1)).toBe(
      'Its pages have 4096 bytes, those of /data/app.db 8192: every process that has it open must be stopped first.',
    )
    expect(plan({ found: database({ pageSize: 8192, journalMode: 'rollback' }) }).how).toBe('online')
  })

  it('refuses to replace a file that should be new', () => {
    expect(plan({ mode: 'new-file' }).refusal?.code).toBe('RESTORE_TARGET_EXISTS')
    expect(plan({ mode: 'new-file', found: { state: 'unreadable', reason: 'a letter' } }).refusal?.code).toBe(
      'RESTORE_TARGET_EXISTS',
    )
    const overwritten = plan({ mode: 'new-file', overwrite: true })
    expect(overwritten).toMatchObject({ how: 'online', keepsSafetyCopy: true })
    expect(overwritten.notes[0]).toBe('The database in /data/app.db (80 MB) is replaced. A copy of it stays beside it.')
  })

  it('says what happens to a file that is no database', () => {
    expect(plan({ found: { state: 'unreadable', reason: 'It is a letter.' } })).toMatchObject({
      how: 'link',
      notes: ['What lies at /data/app.db is set aside: It is a letter.'],
    })
  })

  it('names another environment', () => {
    expect(plan({ environment: 'staging' }).notes.at(-1)).toBe(
      'It was made in the environment "production"; this is "staging".',
    )
    expect(plan({ environment: 'production' }).notes).toHaveLength(3)
  })
})
