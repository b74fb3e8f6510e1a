import { databaseFolder } from '../catalog/keys.ts'
import { readFields } from '../catalog/read-fields.ts'
import type { BeatState } from '../engine-api.ts'
import { BackupError, isBackupError } from '../errors.ts'
import {
  bytesBody,
  type CallOptions,
  type ListedObject,
  listAll,
  readObject,
  type Storage,
} from '../storage/storage.ts'

/** The last sign of life of one engine: one small object that it replaces. */
export interface Beat {
  readonly writer: string
  /** Of several engines on one spool, which are one writer. Older versions told none. */
  readonly instance?: string
  /** When this engine was made. ISO 8601, UTC, like `at`. */
  readonly since: string
  /** When it was in this state. */
  readonly at: string
  /** It has run since, and could not look: its backups fail. */
  readonly alive?: string
  readonly state: BeatState
  /** Id of the newest backup as this writer knows it. With `unchanged` and `asleep`, it is what the database still is. */
  readonly backup?: string
}

const MAX_BYTES = 4096
// Containers leave one behind each. Those long gone say nothing about now.
const MAX_READ = 32

export function beatFolder(database: string): string {
  return `${databaseFolder(database)}heartbeat/`
}

type Who = Pick<Beat, 'writer' | 'instance'>

function beatKey(database: string, { writer, instance }: Who): string {
  return `${beatFolder(database)}${writer}${instance === undefined ? '' : `.${instance}`}.json`
}

/** When it was last heard of. */
export function lastSignOf({ at, alive = at }: Beat): string {
  return alive > at ? alive : at
}

export async function putBeat(
  storage: Storage,
  database: string,
  beat: Beat,
  options: CallOptions = {},
): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify({ format: 1, ...beat })}\n`)
  await storage.put(beatKey(database, beat), bytesBody(bytes), { ...options, contentType: 'application/json' })
}

/** The signs of life in a storage: of many, those stored last. */
export async function readBeats(
  storage: Storage,
  database: string,
  { signal }: CallOptions = {},
): Promise<readonly Beat[]> {
  const found: { readonly key: string; readonly modifiedMs: number }[] = []
  for await (const { key, modified } of listAll(storage, { prefix: beatFolder(database), signal })) {
    if (key.endsWith('.json')) found.push({ key, modifiedMs: modified?.getTime() ?? 0 })
  }
  const newest = found.sort((a, b) => b.modifiedMs - a.modifiedMs).slice(0, MAX_READ)
  const beats = await Promise.all(newest.map(({ key }) => readBeat(storage, key, signal)))
  return beats.filter((beat) => beat !== undefined)
}

// A month after its last sign a writer is gone for good.
const GONE_AFTER_MS = 30 * 24 * 3_600_000
// Engines that start together must not take each other for gone. What is older started before `mine`, which replaces it.
const REPLACED_AFTER_MS = 3_600_000

/** Deletes signs long gone, and those that `mine`, stored just now, replaces: by the storage's own clock. */
export async function removeOldBeats(
  storage: Storage,
  database: string,
  mine: Who,
  { signal }: CallOptions = {},
): Promise<void> {
  const found: ListedObject[] = []
  for await (const object of listAll(storage, { prefix: beatFolder(database), signal })) found.push(object)
  const key = beatKey(database, mine)
  const nowMs = found.find((each) => each.key === key)?.modified?.getTime()
  if (nowMs === undefined) return
  const own = `${beatFolder(database)}${mine.writer}.`
  const old = found.filter(({ key, modified }) => {
    if (!key.endsWith('.json') || modified === undefined) return false
    return nowMs - modified.getTime() > (key.startsWith(own) ? REPLACED_AFTER_MS : GONE_AFTER_MS)
  })
  if (old.length > 0)
    await storage.delete(
      old.map(({ key }) => key),
      { signal },
    )
}

/** A sign that cannot be read is none: it must not make a healthy database look ill, nor the other way round. */
async function readBeat(storage: Storage, key: string, signal: AbortSignal | undefined): Promise<Beat | undefined> {
  try {
    const bytes = await readObject(storage, key, { maxBytes: MAX_BYTES, signal })
    const fields = readFields(JSON.parse(Buffer.from(bytes).toString('utf8')), '', (problem) => {
      throw new BackupError('MANIFEST_INVALID', `${key} is not valid: ${problem}.`)
    })
    const backup = fields.optionalText('backup')
    const instance = fields.optionalText('instance')
    return {
      writer: fields.text('writer'),
      ...(instance === undefined ? {} : { instance }),
      since: fields.time('since'),
      at: fields.time('at'),
      ...(fields.optionalText('alive') === undefined ? {} : { alive: fields.time('alive') }),
      state: fields.oneOf('state', ['awake', 'unchanged', 'asleep']),
      ...(backup === undefined ? {} : { backup }),
    }
  } catch (error) {
    if (
      error instanceof SyntaxError ||
      isBackupError(error, 'MANIFEST_INVALID') ||
      isBackupError(error, 'OBJECT_MISSING')
    )
      return undefined
    throw error
  }
}
