import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { BackupError, isBackupError } from '../errors.ts'
import { processEntry } from '../rpc/entry.ts'
import type { EventOf } from '../rpc/messages.ts'
import { aborted, type CallControl, type Child, spawnChild } from '../rpc/spawn-child.ts'
import { type CaptureMethods, isSteppingBack } from './protocol.ts'

type Call<M extends keyof CaptureMethods> = (
  params: CaptureMethods[M]['params'],
  control?: CallControl<EventOf<CaptureMethods, M>>,
) => Promise<CaptureMethods[M]['result']>

/**
 * The engine's only face of the capture process. The process starts with the first call, lingers a few seconds after the
 * last one and never keeps this one alive; only a pending call does.
 *
 * Every call throws BackupError: what the method throws, `CAPTURE_ENTRY_MISSING`, `CAPTURE_DIED` (the next call starts a
 * new process), `SQLITE_TOO_OLD`, `UNSUPPORTED_PLATFORM`, `CLOSED`, `ABORTED`.
 */
export type CaptureClient = { readonly [M in keyof CaptureMethods]: Call<M> } & {
  /** The process id of the capture process, when there is one. */
  readonly pid: number | undefined
  /** Lets the capture process go; it finishes nothing. */
  close(): Promise<void>
}

export interface CaptureClientOptions {
  /** How much memory the capture process may use. @default 'default' */
  readonly profile?: 'default' | 'small'
  /** How long an idle capture process stays. @default 3000 */
  readonly lingerMs?: number
  /** For tests: the file the process starts with. */
  readonly entry?: URL
  /** For tests: more environment for the process. */
  readonly env?: Readonly<Record<string, string>>
}

const LINGER_MS = 3_000
const FIRST_BACK_OFF_MS = 100
const MAX_BACK_OFF_MS = 5_000
/** A process that lived this long was well: the next death starts the back-off anew. */
const WELL_AFTER_MS = 30_000

/**
 * @example
 * const capture = createCaptureClient({ profile: 'small' })
 * const { journalMode } = await capture.inspect({ path: './app.db' })
 * await capture.close()
 */
export function createCaptureClient(options: CaptureClientOptions = {}): CaptureClient {
  const { profile = 'default', lingerMs = LINGER_MS } = options
  let child: Child<CaptureMethods> | undefined
  let pending = 0
  let backOffMs = 0
  const closing = new AbortController()
  let lingering: NodeJS.Timeout | undefined
  // A lock lives in the process that took it: that one must stay, and when it dies the lock is gone.
  const locks = new Map<string, Child<CaptureMethods>>()
  // They work behind the app by now, which a process that keeps its writers waiting should not.
  const gaveWay = new WeakSet<Child<CaptureMethods>>()

  const start = (): Child<CaptureMethods> => {
    const started = spawnChild<CaptureMethods>({
      name: 'capture',
      entry: options.entry ?? processEntry('capture'),
      execArgv: nodeFlags[profile],
      env: { ...environment[profile], ...options.env },
    })
    const startedAt = performance.now()
    child = started
    started.exited.then(() => {
      for (const [spoolDir, holder] of locks) if (holder === started) locks.delete(spoolDir)
      if (child !== started) return
      child = undefined
      const livedMs = performance.now() - startedAt
      backOffMs =
        livedMs > WELL_AFTER_MS ? FIRST_BACK_OFF_MS : Math.min(MAX_BACK_OFF_MS, backOffMs * 2 || FIRST_BACK_OFF_MS)
    })
    return started
  }

  const letGo = (): Promise<void> => {
    const leaving = child
    child = undefined
    backOffMs = 0
    return leaving?.close() ?? Promise.resolve()
  }

  const linger = (): void => {
    if (pending > 0 || locks.size > 0 || child === undefined) return
    lingering = setTimeout(letGo, lingerMs)
    lingering.unref()
  }

  const call = async <M extends keyof CaptureMethods>(
    method: M,
    params: CaptureMethods[M]['params'],
    control: CallControl<EventOf<CaptureMethods, M>> = {},
  ): Promise<CaptureMethods[M]['result']> => {
    if (closing.signal.aborted) throw closed()
    if (process.platform === 'win32') throw unsupported()
    clearTimeout(lingering)
    pending += 1
    try {
      const isFree = pending === 1 && locks.size === 0
      if (child !== undefined && gaveWay.has(child) && isFree && keepsWritersWaiting(method)) void letGo()
      if (child === undefined && backOffMs > 0) await backOff(control.signal)
      // Forking a process holds the event loop for some milliseconds, more for a large one: not also what led here.
      if (child === undefined) await turn()
      if (closing.signal.aborted) throw closed()
      const current = child ?? start()
      const result = await current.call(method, params, control)
      track(method, params, current)
      return result
    } finally {
      pending -= 1
      linger()
    }
  }

  const backOff = async (signal: AbortSignal | undefined): Promise<void> => {
    const ended = signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal])
    try {
      await delay(backOffMs, undefined, { signal: ended })
    } catch (error) {
      if (closing.signal.aborted) throw closed()
      throw signal?.aborted ? aborted(signal) : error
    }
  }

  const track = (method: keyof CaptureMethods, params: unknown, holder: Child<CaptureMethods>): void => {
    const spoolDir = (params as { readonly spoolDir?: string } | undefined)?.spoolDir ?? ''
    if (method === 'lock') locks.set(spoolDir, holder)
    if (method === 'unlock') locks.delete(spoolDir)
  }

  return {
    get pid() {
      return child?.pid
    },
    hello: (params, control) => call('hello', params, control),
    lock: (params, control) => call('lock', params, control),
    async unlock(params, control) {
      // Its holder died, and the kernel freed it.
      if (!locks.has(params.spoolDir)) return
      try {
        await call('unlock', params, control)
      } catch (error) {
        if (!isBackupError(error, 'CAPTURE_DIED') && !isBackupError(error, 'CLOSED')) throw error
      }
    },
    inspect: (params, control) => call('inspect', params, control),
    backup: (params, control) =>
      call('backup', params, {
        ...control,
        onEvent(event) {
          if (child !== undefined && isSteppingBack(event)) gaveWay.add(child)
          control?.onEvent?.(event)
        },
      }),
    publish: (params, control) => call('publish', params, control),
    recoverPublish: (params, control) => call('recoverPublish', params, control),
    async close() {
      closing.abort()
      clearTimeout(lingering)
      await letGo()
    },
  }
}

// Buffers live outside V8's heap; what is in it are small objects. A small young generation keeps the process small.
const nodeFlags = {
  default: ['--max-old-space-size=96'],
  small: ['--max-old-space-size=48', '--max-semi-space-size=1'],
} as const

const environment = {
  // Frames come and go: see the work process.
  default: { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '33554432', MALLOC_TRIM_THRESHOLD_: '33554432' },
  small: { MALLOC_ARENA_MAX: '1' },
} as const

/**
 * Whether it is the start of an operation that pins or locks the database: with the app at full speed, the log grows by
 * gigabytes when a process behind it reads the log under a pin.
 */
function keepsWritersWaiting(method: keyof CaptureMethods): boolean {
  return method === 'lock' || method === 'backup' || method === 'publish' || method === 'recoverPublish'
}

function closed(): BackupError {
  return new BackupError('CLOSED', 'The engine is closed.')
}

function unsupported(): BackupError {
  return new BackupError('UNSUPPORTED_PLATFORM', 'sqlite-backup does not run on Windows.', {
    hint: 'It needs Linux or macOS; WSL works.',
  })
}
