import type { BackupMarks, BackupSummaryEntry } from '@sqlite-backup/core'
import { expect, it } from 'vitest'
import { renderList } from './list.ts'
import { plainStyle } from './style.ts'

function item(id: string, marks: BackupMarks): BackupSummaryEntry {
  return { id, database: 'app', created: '2026-11-20T03:00:00.000Z', tier: 'daily', storedSizeBytes: 1000, marks }
}

it('shows of each backup how far it is verified, and whether it is kept or damaged', () => {
  const page = {
    storage: 'disk',
    database: 'app',
    items: [
      item('a', { level: 'proven', isBad: false, isKept: true }),
      item('b', { level: 'stored', isBad: false, isKept: false }),
      item('c', { isBad: true, isKept: false }),
    ],
  }
  expect(renderList(page, Date.parse('2026-11-20T04:00:00Z'), plainStyle)).toEqual([
    'ID  CREATED                         AGE  TIER         VERIFIED  SIZE',
    'a   2026-11-20 03:00:00 UTC  60 min ago  daily, kept  proven    1 KB',
    'b   2026-11-20 03:00:00 UTC  60 min ago  daily        stored    1 KB',
    'c   2026-11-20 03:00:00 UTC  60 min ago  daily        DAMAGED   1 KB',
  ])
})
