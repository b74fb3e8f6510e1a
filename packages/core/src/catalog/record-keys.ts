import type { CheckLevel } from '../verify/record.ts'
import { idOf, parseTimeStamp, randomPattern, timeStamp } from './backup-id.ts'
import { type BackupEntry, databaseFolder, dayFolder, stampText } from './keys.ts'
import { unescapeName } from './names.ts'

export type { CheckLevel }

/** What the key of a record says about a backup. */
export type RecordEntry =
  | {
      readonly kind: 'verify'
      readonly id: string
      readonly level: CheckLevel
      readonly outcome: 'ok' | 'failed'
      /** When it was verified. */
      readonly at: Date
      readonly key: string
    }
  /** `keep`: exempt from pruning. `tip`: the end of one of two branches, which is likewise. */
  | { readonly kind: 'keep' | 'tip'; readonly id: string; readonly key: string }

type BackupRef = Pick<BackupEntry, 'database' | 'created' | 'id'>

const pattern = new RegExp(
  `^([^/]+)/records/\\d{4}/\\d{2}/\\d{2}/(\\d{8}T\\d{6}\\.\\d{3}Z)-(${randomPattern})/` +
    `(?:(keep|tip)|(\\d{8}T\\d{6}\\.\\d{3}Z)-verify-(stored|checked|proven)-(ok|failed))\\.json$`,
)

export function recordsFolder(database: string): string {
  return `${databaseFolder(database)}records/`
}

/** `<db>/records/2026/11/20/<stamp>/`: beside the catalog, never in it, so no list of backups sees it. */
export function backupRecordsFolder({ database, created, id }: BackupRef): string {
  return `${dayFolder(recordsFolder(database), created)}${stampText(created, id)}/`
}

export function keepKey(backup: BackupRef): string {
  return `${backupRecordsFolder(backup)}keep.json`
}

export function tipKey(backup: BackupRef): string {
  return `${backupRecordsFolder(backup)}tip.json`
}

/** A new key for each verification, so that a storage that never replaces anything takes it too. */
export function verifyKey(
  backup: BackupRef,
  record: { readonly at: Date; readonly level: CheckLevel; readonly outcome: 'ok' | 'failed' },
): string {
  return `${backupRecordsFolder(backup)}${timeStamp(record.at)}-verify-${record.level}-${record.outcome}.json`
}

/** What the key of a record says; undefined when it is none. */
export function parseRecordKey(key: string): RecordEntry | undefined {
  const [, folder = '', stamp = '', random = '', marker, verified = '', level, outcome] = pattern.exec(key) ?? []
  const created = parseTimeStamp(stamp)
  if (created === undefined || unescapeName(folder) === undefined) return undefined
  const id = idOf({ created, random })
  if (!key.includes(`/${stampText(created, id)}/`) || !key.startsWith(dayFolder(`${folder}/records/`, created)))
    return undefined
  if (marker !== undefined) return { kind: marker === 'tip' ? 'tip' : 'keep', id, key }
  const at = parseTimeStamp(verified)
  if (at === undefined) return undefined
  return { kind: 'verify', id, level: level as CheckLevel, outcome: outcome as 'ok' | 'failed', at, key }
}
