import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { BackupError, deserializeError } from '../errors.ts'
import { bundledHint } from './entry.ts'
import { type EventOf, isMessage, type Message, type MethodTable } from './messages.ts'

export interface SpawnOptions {
  /** For errors: `capture` or `work`. */
  readonly name: string
  readonly entry: URL
  /** Opens a byte pipe to the child's file descriptor 4. */
  readonly withInput?: boolean
  /** Flags for the child's own Node, like a heap limit. */
  readonly execArgv?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface CallControl<E> {
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: (event: E) => void
}

/** A child process that answers calls. It never keeps this process alive by itself; a pending call does. */
export interface Child<T extends MethodTable> {
  readonly pid: number
  readonly alive: boolean
  /** Writable end of the byte pipe. @throws BackupError `INTERNAL` without `withInput`. */
  readonly input: Writable
  call<M extends keyof T & string>(
    method: M,
    params: T[M]['params'],
    control?: CallControl<EventOf<T, M>>,
  ): Promise<T[M]['result']>
  /** Disconnects and waits until the child has left; kills it after `graceMs`. */
  close(graceMs?: number): Promise<void>
  /** Resolves when the process is gone. */
  readonly exited: Promise<void>
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly onEvent: ((event: never) => void) | undefined
}

const living = new Set<ChildProcess>()

/**
 * Starts a child of ours: its own Node flags, no inherited NODE_OPTIONS (else `--import` hooks would recurse into it), structured-clone messages.
 * @throws BackupError `CAPTURE_ENTRY_MISSING` when a bundler left the entry file behind.
 */
export function spawnChild<T extends MethodTable>(options: SpawnOptions): Child<T> {
  const entry = fileURLToPath(options.entry)
  if (!existsSync(entry)) {
    throw new BackupError('CAPTURE_ENTRY_MISSING', `The file of the ${options.name} process is not there: ${entry}`, {
      hint: `The app was bundled without it. ${bundledHint}`,
    })
  }
  const env = scrubbedEnv()
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...(options.execArgv ?? []), entry], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc', options.withInput ? 'pipe' : 'ignore'],
    serialization: 'advanced',
    env: { ...env, ...options.env },
  })
  return attach(child, options)
}

// What Node reads from its environment at start. NODE_OPTIONS: `--import` hooks would recurse. The others make it a
// worker of somebody's cluster or speak on a channel it does not have. Node removes these when it has read them; they are
// only there when the app put back a copy of its environment.
const INHERITED_BY_NODE = ['NODE_OPTIONS', 'NODE_CHANNEL_FD', 'NODE_CHANNEL_SERIALIZATION_MODE', 'NODE_UNIQUE_ID']

function scrubbedEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !INHERITED_BY_NODE.includes(name)))
}

function attach<T extends MethodTable>(child: ChildProcess, options: SpawnOptions): Child<T> {
  const pending = new Map<number, Pending>()
  let nextId = 1
  let alive = true
  let stderrHint = ''

  const updateRef = (): void => {
    if (pending.size > 0) {
      child.ref()
      child.channel?.ref()
    } else {
      child.unref()
      child.channel?.unref()
    }
  }
  const failAll = (error: BackupError): void => {
    for (const call of pending.values()) call.reject(error)
    pending.clear()
  }

  child.on('message', (message: unknown) => {
    if (!isMessage(message)) return
    const call = pending.get(message.id)
    if (call === undefined) return
    if (message.type === 'event') return call.onEvent?.(message.event as never)
    pending.delete(message.id)
    if (message.type === 'result') call.resolve(message.value)
    if (message.type === 'error') call.reject(deserializeError(message.error))
    updateRef()
  })
  living.add(child)
  const exited = new Promise<void>((resolve) => {
    const gone = (why: string): void => {
      if (!alive) return
      alive = false
      living.delete(child)
      failAll(
        new BackupError('CAPTURE_DIED', `The ${options.name} process ended in the middle of its work (${why}).`, {
          hint:
            stderrHint ||
            'Nothing was published. If it was killed for memory, set profile: "small" or give the container more.',
        }),
      )
      resolve()
    }
    child.once('error', (error) => {
      stderrHint = error.message
      gone('could not be started')
    })
    child.once('exit', (code, signal) => gone(signal ?? `exit code ${code}`))
  })
  const input = child.stdio[4] as Writable | undefined | null
  input?.on('error', () => {}) // EPIPE when the child is gone: the pending call rejects with the reason.
  updateRef()

  return {
    pid: child.pid ?? -1,
    get alive() {
      return alive
    },
    get input() {
      if (!input) throw new BackupError('INTERNAL', `The ${options.name} process was started without a byte pipe.`)
      return input
    },
    exited,
    call(method, params, control = {}) {
      if (!alive) return Promise.reject(new BackupError('CAPTURE_DIED', `The ${options.name} process is gone.`))
      if (control.signal?.aborted) return Promise.reject(aborted(control.signal))
      const id = nextId++
      return new Promise((resolve, reject) => {
        const onAbort = (): void => send({ type: 'abort', id })
        const settle =
          <A>(then: (value: A) => void) =>
          (value: A): void => {
            control.signal?.removeEventListener('abort', onAbort)
            then(value)
          }
        pending.set(id, {
          resolve: settle(resolve as (value: unknown) => void),
          reject: settle(reject),
          onEvent: control.onEvent as ((event: never) => void) | undefined,
        })
        control.signal?.addEventListener('abort', onAbort, { once: true })
        updateRef()
        send({ type: 'call', id, method, params })
      })
    },
    async close(graceMs = 5_000) {
      if (!alive) return
      child.ref()
      if (child.connected) child.disconnect()
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await exited
      clearTimeout(timer)
    },
  }

  function send(message: Message): void {
    // A failed send means the child is gone: its 'exit' rejects the call.
    if (child.connected) child.send(message, undefined, undefined, () => {})
  }
}

/** Kills all children at once: for a process that ends, and whose `exit` listeners still have work for which they are in the way. */
export function killChildren(): void {
  for (const child of living) child.kill('SIGKILL')
}

/** The error for an aborted signal. */
export function aborted(signal: AbortSignal): BackupError {
  return new BackupError('ABORTED', 'The operation was aborted.', { cause: signal.reason })
}
