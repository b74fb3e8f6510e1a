import { databaseFolder } from '../catalog/keys.ts'
import { readFields } from '../catalog/read-fields.ts'
import type { BeatState } from '../engine-api.ts'
import { BackupError, isBackupError } from '../errors.ts'
import { bytesBody, type CallOptions, listAll, readObject, type Storage } from '../storage/storage.ts'

/** The last sign of life of one writer: one small object that it replaces. */
export interface Beat {
  readonly writer: string
  /** When this writer's process started. ISO 8601, UTC, like `at`. */
  readonly since: string
  readonly at: string
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

export async function putBeat(
  storage: Storage,
  database: string,
  beat: Beat,
  options: CallOptions = {},
): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify({ format: 1, ...beat })}\n`)
  const key = `${beatFolder(database)}${beat.writer}.json`
  await storage.put(key, bytesBody(bytes), { ...options, contentType: 'application/json' })
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

/** A sign that cannot be read is none: it must not make a healthy database look ill, nor the other way round. */
async function readBeat(storage: Storage, key: string, signal: AbortSignal | undefined): Promise<Beat | undefined> {
  try {
    const bytes = await readObject(storage, key, { maxBytes: MAX_BYTES, signal })
    const fields = readFields(JSON.parse(Buffer.from(bytes).toString('utf8')), '', (problem) => {
      throw new BackupError('MANIFEST_INVALID', `${key} is not valid: ${problem}.`)
    })
    const backup = fields.optionalText('backup')
    return {
      writer: fields.text('writer'),
      since: fields.time('since'),
      at: fields.time('at'),
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
