import type { BackupEntry } from './catalog/keys.ts'
import type { RecordEntry } from './catalog/record-keys.ts'
import { summarizeRecords } from './catalog/summarize-records.ts'
import type { BackupMarks, BackupSummaryEntry } from './engine-api.ts'

/** An entry of a list as callers of the engine see it; with its records, what they come to. */
export function summaryOf(entry: BackupEntry, records: readonly RecordEntry[] | undefined): BackupSummaryEntry {
  const { id, database, created, tier, name, storedSizeBytes } = entry
  return {
    id,
    database,
    created: created.toISOString(),
    tier,
    ...(name === undefined ? {} : { name }),
    storedSizeBytes,
    ...(records === undefined ? {} : { marks: marksOf(records) }),
  }
}

/** A backup that nobody verified is still one that was stored. */
function marksOf(records: readonly RecordEntry[]): BackupMarks {
  const { level = 'stored', isBad, isKept } = summarizeRecords(records)
  return { ...(isBad ? {} : { level }), isBad, isKept }
}
