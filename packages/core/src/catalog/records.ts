import { BackupError, messageOf } from '../errors.ts'
import { bytesBody, type CallOptions, listAll, readObject, type Storage } from '../storage/storage.ts'
import type { VerifyRecord } from '../verify/record.ts'
import { timeStamp } from './backup-id.ts'
import { type BackupEntry, dayFolder } from './keys.ts'
import { type Fields, readFields } from './read-fields.ts'
import {
  backupRecordsFolder,
  keepKey,
  parseRecordKey,
  type RecordEntry,
  recordsFolder,
  tipKey,
  verifyKey,
} from './record-keys.ts'

/** The largest record that is written or read, in bytes. */
export const maxRecordBytes = 1024 * 1024
const MAX_MESSAGES = 100

type BackupRef = Pick<BackupEntry, 'database' | 'created' | 'id'>

/** Why a backup is exempt from pruning. */
export interface KeepMarker {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly actor?: string
  readonly reason?: string
}

/** Keeps what a verification found beside the manifest. Returns its key. */
export async function putVerifyRecord(
  storage: Storage,
  backup: BackupRef,
  record: VerifyRecord,
  options: CallOptions = {},
): Promise<string> {
  const key = verifyKey(backup, { ...record, at: new Date(record.at) })
  await storage.put(key, bytesBody(verifyRecordBytes(record)), { ...options, contentType: 'application/json' })
  return key
}

/** @throws BackupError `MANIFEST_INVALID`, and what the storage throws */
export async function readVerifyRecord(
  storage: Storage,
  entry: Pick<RecordEntry, 'key'>,
  options: CallOptions = {},
): Promise<VerifyRecord> {
  const bytes = await readObject(storage, entry.key, { ...options, maxBytes: maxRecordBytes })
  return parseRecord(Buffer.from(bytes).toString('utf8'), entry.key, readVerifyFields)
}

/** Exempts a backup from pruning. */
export async function putKeepMarker(
  storage: Storage,
  backup: BackupRef,
  marker: KeepMarker,
  options: CallOptions = {},
): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify({ format: 1, ...marker }, null, 2)}\n`)
  await storage.put(keepKey(backup), bytesBody(bytes), { ...options, contentType: 'application/json' })
}

/** Gives a backup back to the retention policy. */
export async function deleteKeepMarker(storage: Storage, backup: BackupRef, options: CallOptions = {}): Promise<void> {
  await storage.delete([keepKey(backup)], options)
}

/** Says that a backup is the end of a branch of a fork: what was newest when somebody else went on from an older one. */
export async function putTipMarker(
  storage: Storage,
  backup: BackupRef,
  marker: Pick<KeepMarker, 'at'>,
  options: CallOptions = {},
): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify({ format: 1, ...marker }, null, 2)}\n`)
  await storage.put(tipKey(backup), bytesBody(bytes), { ...options, contentType: 'application/json' })
}

/** For a branch that somebody went on with, or that nobody wants any more. */
export async function deleteTipMarker(storage: Storage, backup: BackupRef, options: CallOptions = {}): Promise<void> {
  await storage.delete([tipKey(backup)], options)
}

/** @throws BackupError `OBJECT_MISSING` when the backup is not kept, `MANIFEST_INVALID` */
export async function readKeepMarker(
  storage: Storage,
  backup: BackupRef,
  options: CallOptions = {},
): Promise<KeepMarker> {
  const key = keepKey(backup)
  const bytes = await readObject(storage, key, { ...options, maxBytes: maxRecordBytes })
  return parseRecord(Buffer.from(bytes).toString('utf8'), key, (fields) => {
    const actor = fields.optionalText('actor')
    const reason = fields.optionalText('reason')
    return {
      at: fields.time('at'),
      ...(actor === undefined ? {} : { actor }),
      ...(reason === undefined ? {} : { reason }),
    }
  })
}

/** What was found out about one backup since, oldest first, from keys alone: one LIST. */
export async function listRecords(
  storage: Storage,
  backup: BackupRef,
  { signal }: CallOptions = {},
): Promise<readonly RecordEntry[]> {
  const found: RecordEntry[] = []
  for await (const { key } of listAll(storage, { prefix: backupRecordsFolder(backup), signal })) {
    const entry = parseRecordKey(key)
    if (entry !== undefined) found.push(entry)
  }
  return found
}

/** The same for a page of backups of one database at once, by id: one LIST for the time they span. */
export async function listRecordsOf(
  storage: Storage,
  backups: readonly BackupRef[],
  { signal }: CallOptions = {},
): Promise<ReadonlyMap<string, readonly RecordEntry[]>> {
  const byId = new Map<string, RecordEntry[]>(backups.map(({ id }) => [id, []]))
  const [first] = backups
  if (first === undefined) return byId
  const times = backups.map(({ created }) => created.getTime())
  const oldest = new Date(times.reduce((a, b) => Math.min(a, b)))
  const newest = new Date(times.reduce((a, b) => Math.max(a, b)))
  const prefix = recordsFolder(first.database)
  const after = `${dayFolder(prefix, oldest)}${timeStamp(oldest)}`
  // `~` sorts behind everything a key of that moment can go on with.
  const last = `${dayFolder(prefix, newest)}${timeStamp(newest)}~`
  for await (const { key } of listAll(storage, { prefix, after, signal })) {
    if (key > last) break
    const entry = parseRecordKey(key)
    if (entry !== undefined) byId.get(entry.id)?.push(entry)
  }
  return byId
}

/**
 * The newest verification of each level and outcome of a backup, oldest first: one LIST and at most six GETs.
 * @throws BackupError `MANIFEST_INVALID`, and what the storage throws
 */
export async function readRecords(
  storage: Storage,
  backup: BackupRef,
  options: CallOptions = {},
): Promise<readonly VerifyRecord[]> {
  const newest = new Map<string, RecordEntry>()
  for (const entry of await listRecords(storage, backup, options)) {
    if (entry.kind === 'verify') newest.set(`${entry.level} ${entry.outcome}`, entry)
  }
  const records = await Promise.all([...newest.values()].map((entry) => readVerifyRecord(storage, entry, options)))
  return records.sort((a, b) => (a.at < b.at ? -1 : 1))
}

function verifyRecordBytes(record: VerifyRecord): Uint8Array {
  const messages = record.messages?.slice(0, MAX_MESSAGES).map((message) => message.slice(0, 1000))
  const bounded = { format: 1, ...record, ...(messages === undefined ? {} : { messages }) }
  const bytes = Buffer.from(`${JSON.stringify(bounded, null, 2)}\n`)
  if (bytes.byteLength <= maxRecordBytes) return bytes
  const { tables = {}, ...rest } = bounded
  const note = `The row counts of ${Object.keys(tables).length} tables were left out: they were too many for this record.`
  return Buffer.from(`${JSON.stringify({ ...rest, messages: [...(messages ?? []), note] }, null, 2)}\n`)
}

function readVerifyFields(fields: Fields): VerifyRecord {
  const integrity = fields.optionalOneOf('integrity', ['ok', 'damaged', 'unknown'])
  const messages = fields.optionalTexts('messages')
  const foreignKeyViolations = fields.optionalCount('foreignKeyViolations')
  const tables = fields.optionalCounts('tables')
  const error = fields.optionalObject('error')
  return {
    level: fields.oneOf('level', ['stored', 'checked', 'proven']),
    outcome: fields.oneOf('outcome', ['ok', 'failed']),
    at: fields.time('at'),
    durationMs: fields.amount('durationMs'),
    ...(integrity === undefined ? {} : { integrity }),
    ...(messages === undefined ? {} : { messages }),
    ...(foreignKeyViolations === undefined ? {} : { foreignKeyViolations }),
    ...(tables === undefined ? {} : { tables }),
    ...(error === undefined ? {} : { error: { code: error.text('code'), message: error.text('message') } }),
  }
}

function parseRecord<T>(json: string, key: string, read: (fields: Fields) => T): T {
  const fail = (problem: string): never => {
    throw new BackupError('MANIFEST_INVALID', `${key} is not valid: ${problem}.`, {
      hint: 'It is only a note about a backup. Verify that backup again to get a new one.',
    })
  }
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (cause) {
    return fail(`it is not JSON (${messageOf(cause)})`)
  }
  return read(readFields(value, '', fail))
}
