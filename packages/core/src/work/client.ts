import type { Writable } from 'node:stream'
import type { DecodeResult, EncodeResult } from '../codec/codec.ts'
import { processEntry } from '../rpc/entry.ts'
import type { EventOf } from '../rpc/messages.ts'
import { aborted, type CallControl, type Child, spawnChild } from '../rpc/spawn-child.ts'
import { disposeChunk } from '../storage/spent-chunk.ts'
import type { BodySource } from '../storage/storage.ts'
import type { WorkMethods } from './protocol.ts'

interface Control<M extends keyof WorkMethods> extends CallControl<EventOf<WorkMethods, M>> {
  /** Work behind the app: for what nobody waits for. @default false */
  readonly givesWay?: boolean
}
/** Where a body comes from, and how much memory there is, is the client's business. */
type Params<M extends keyof WorkMethods> = Omit<WorkMethods[M]['params'], 'body' | 'cacheBytes'>
type Result<M extends keyof WorkMethods> = WorkMethods[M]['result']

/**
 * The engine's face of the work process: short-lived children, one for each call at a time, killed when the call is
 * aborted. One that has finished waits a moment: a restore unpacks and then checks.
 * All files named in calls are ours: none of them is a live database.
 */
export interface WorkClient {
  /** Unpacks a body into `file`. @throws BackupError `BODY_…`, `DECRYPTION_FAILED`, `SPOOL_NO_SPACE`, and what `input` throws */
  decode(input: BodySource, params: Params<'decode'>, control?: Control<'decode'>): Promise<DecodeResult>
  /** Hashes a body. @throws BackupError `BODY_…`, and what `input` throws */
  hash(input: BodySource, params: Params<'hash'>, control?: Control<'hash'>): Promise<Result<'hash'>>
  /** Holds an image against its digest. @throws BackupError `BODY_TRUNCATED`, `BODY_TOO_LONG`, `BODY_DIGEST_MISMATCH` */
  hashImage(params: Params<'hashImage'>, control?: Control<'hashImage'>): Promise<Result<'hashImage'>>
  /** Lets SQLite look at an image. */
  check(params: Params<'check'>, control?: Control<'check'>): Promise<Result<'check'>>
  /** What `check` leaves out with `foreignKeys: false`. */
  checkForeignKeys(
    params: Params<'checkForeignKeys'>,
    control?: Control<'checkForeignKeys'>,
  ): Promise<Result<'checkForeignKeys'>>
  /** Packs an image into a body. */
  encode(params: Params<'encode'>, control?: Control<'encode'>): Promise<EncodeResult>
  /** What would change if one image took the place of the other. @throws BackupError `DATABASE_INVALID` */
  diff(params: Params<'diff'>, control?: Control<'diff'>): Promise<Result<'diff'>>
  /** Lets SQLite look at an image before or after a migration. */
  survey(params: Params<'survey'>, control?: Control<'survey'>): Promise<Result<'survey'>>
}

export interface WorkClientOptions {
  /** `small` for machines of 512 MB and less. @default 'default' */
  readonly profile?: 'default' | 'small'
  /** For tests: the file the process starts with. */
  readonly entry?: URL
}

// Buffers live outside V8's heap; what is left are small objects. A small young generation keeps the process small.
const execArgv = {
  default: ['--max-old-space-size=64'],
  small: ['--max-old-space-size=32', '--max-semi-space-size=1'],
} as const

// glibc gives every frame's megabyte back to the kernel and gets it again, page by page: half of the time of a restore.
// Told to keep some tens of them, it does not: https://man7.org/linux/man-pages/man3/mallopt.3.html
const environment = {
  default: { MALLOC_MMAP_THRESHOLD_: '33554432', MALLOC_TRIM_THRESHOLD_: '33554432' },
  small: { UV_THREADPOOL_SIZE: '2', MALLOC_ARENA_MAX: '1' },
} as const

// Never mmap_size: mapped pages would count as this process's own memory.
const cacheBytes = { default: 32 * 1024 * 1024, small: 16 * 1024 * 1024 } as const

const IDLE_MS = 200

/**
 * @example
 * const work = createWorkClient({ profile: 'small' })
 * const report = await work.check({ file: 'app.db.restored', depth: 'quick', rowCounts: false })
 */
export function createWorkClient({ profile = 'default', entry }: WorkClientOptions = {}): WorkClient {
  const start = (withInput: boolean): Child<WorkMethods> =>
    spawnChild<WorkMethods>({
      name: 'work',
      entry: entry ?? processEntry('work'),
      withInput,
      execArgv: execArgv[profile],
      env: environment[profile],
    })

  let idle: { readonly child: Child<WorkMethods>; readonly timer: NodeJS.Timeout } | undefined

  const takeIdle = (): Child<WorkMethods> | undefined => {
    const taken = idle
    idle = undefined
    clearTimeout(taken?.timer)
    return taken?.child.alive ? taken.child : undefined
  }

  const keepIdle = (child: Child<WorkMethods>): void => {
    takeIdle()?.close(0)
    const timer = setTimeout(() => takeIdle()?.close(0), IDLE_MS)
    timer.unref()
    idle = { child, timer }
  }

  const run = async <M extends keyof WorkMethods>(
    method: M,
    params: WorkMethods[M]['params'],
    control: Control<M> = {},
    input?: AsyncIterable<Uint8Array>,
  ): Promise<Result<M>> => {
    const { signal } = control
    if (signal?.aborted) throw aborted(signal)
    const child = (input === undefined ? takeIdle() : undefined) ?? start(input !== undefined)
    // SQLite's checks keep the child's event loop busy: it would not hear that it should stop.
    const onAbort = (): void => void child.close(0)
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      if (control.givesWay) await child.call('giveWay', undefined)
      const call = child.call(method, params, control.onEvent === undefined ? {} : { onEvent: control.onEvent })
      const result = input === undefined ? await call : await pumpUntil(call, input, child)
      keepIdle(child)
      return result
    } catch (error) {
      await child.close(0)
      throw signal?.aborted ? aborted(signal) : error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  return {
    decode: (input, params, control) =>
      'file' in input ? run('decode', { ...params, body: input.file }, control) : run('decode', params, control, input),
    hash: (input, params, control) =>
      'file' in input ? run('hash', { ...params, body: input.file }, control) : run('hash', params, control, input),
    hashImage: (params, control) => run('hashImage', params, control),
    check: (params, control) => run('check', { ...params, cacheBytes: cacheBytes[profile] }, control),
    checkForeignKeys: (params, control) => run('checkForeignKeys', params, control),
    encode: (params, control) => run('encode', params, control),
    diff: (params, control) => run('diff', params, control),
    survey: (params, control) => run('survey', { ...params, cacheBytes: cacheBytes[profile] }, control),
  }
}

/** Feeds the child until the call settles. An error of the source wins: the child only sees a body that ends too early. */
async function pumpUntil<T>(call: Promise<T>, input: AsyncIterable<Uint8Array>, child: Child<WorkMethods>): Promise<T> {
  let settled = false
  const outcome = call.finally(() => {
    settled = true
  })
  // Not awaited to its end when the child answers first: a stalled source would hold up what is known already.
  return Promise.race([pump(input, child, () => settled).then(() => outcome), outcome])
}

async function pump(
  input: AsyncIterable<Uint8Array>,
  child: Child<WorkMethods>,
  isSettled: () => boolean,
): Promise<void> {
  for await (const chunk of input) {
    if (isSettled() || child.input.destroyed) return
    if (!child.input.write(chunk, () => disposeChunk(chunk))) await untilDrained(child.input)
  }
  child.input.end()
}

/** Resolves when more can be written, or never will be: what happened to the child is for its call to say. */
function untilDrained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done)
      resolve()
    }
    stream.on('drain', done).on('close', done)
  })
}
