import type { StopSignal } from './on-stop-signal.ts'

type Emitter = { readonly count?: unknown } | undefined

/**
 * How many listeners of a signal are the app's. `signal-exit`, which many packages bring along, is not: it listens only to
 * learn that the process ends, and ends nothing while anybody else listens. Its version 4 and its version 3 each keep the
 * number of their loaded copies in a global: https://github.com/tapjs/signal-exit/blob/v4.1.0/src/index.ts
 */
export function countAppListeners(signal: StopSignal, ours: number): number {
  const { [Symbol.for('signal-exit emitter')]: four } = globalThis as { [key: symbol]: Emitter }
  const { __signal_exit_emitter__: three } = process as { __signal_exit_emitter__?: Emitter }
  return process.listenerCount(signal) - ours - copiesOf(four) - copiesOf(three)
}

function copiesOf(emitter: Emitter): number {
  return typeof emitter?.count === 'number' ? emitter.count : 0
}
