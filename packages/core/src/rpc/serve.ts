import { writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { BackupError, serializeError } from '../errors.ts'
import { type EventOf, isMessage, type Message, type MethodTable } from './messages.ts'

export interface HandlerContext<E> {
  /** Aborted when the caller gave up or the parent is gone. */
  readonly signal: AbortSignal
  emit(event: E): void
  /** The byte pipe from the parent (file descriptor 4), for the one method that asked for it. */
  input(): Readable
}

export type Handlers<T extends MethodTable> = {
  readonly [M in keyof T]: (params: T[M]['params'], context: HandlerContext<EventOf<T, M>>) => Promise<T[M]['result']>
}

export interface ServeOptions {
  /** Runs once before the process leaves, with every call aborted already. */
  readonly onLeave?: () => void | Promise<void>
}

/**
 * Turns this process into the serving end of an RPC channel and keeps it alive until the parent leaves.
 * Ctrl+C and systemd signal the whole process group: the parent decides when we stop, so those signals are ignored.
 */
export function serve<T extends MethodTable>(handlers: Handlers<T>, options: ServeOptions = {}): void {
  if (process.send === undefined) throw new BackupError('INTERNAL', 'This file is started by sqlite-backup itself.')
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  volunteerForTheOomKiller()

  const running = new Map<number, AbortController>()
  const send = (message: Message): void => {
    if (process.connected) process.send?.(message, undefined, undefined, () => {})
  }

  process.on('message', (message) => {
    if (!isMessage(message)) return
    if (message.type === 'abort') running.get(message.id)?.abort()
    if (message.type !== 'call') return
    const { id, method, params } = message
    const controller = new AbortController()
    running.set(id, controller)
    const handler = handlers[method]
    const work = async (): Promise<unknown> => {
      if (handler === undefined) throw new BackupError('INTERNAL', `The child process knows no method "${method}".`)
      return handler(params, {
        signal: controller.signal,
        emit: (event) => send({ type: 'event', id, event }),
        input: () => new Socket({ fd: 4, readable: true, writable: false }),
      })
    }
    work()
      .then(
        (value) => send({ type: 'result', id, value }),
        (error: unknown) => send({ type: 'error', id, error: serializeError(error) }),
      )
      .finally(() => running.delete(id))
  })

  process.on('disconnect', () => {
    for (const controller of running.values()) controller.abort()
    Promise.resolve(options.onLeave?.()).finally(() => process.exit(0))
  })
}

// When memory runs out the kernel should take us, not the app: https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html
function volunteerForTheOomKiller(): void {
  if (process.platform !== 'linux') return
  try {
    writeFileSync('/proc/self/oom_score_adj', '800')
  } catch {
    // Not permitted in some sandboxes; it is a courtesy, nothing depends on it.
  }
}
