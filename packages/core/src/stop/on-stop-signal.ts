import { constants } from 'node:os'
import { messageOf } from '../errors.ts'
import { stderrLogger } from '../stderr-logger.ts'
import { countAppListeners } from './count-app-listeners.ts'

export type StopSignal = 'SIGTERM' | 'SIGINT'

export interface OnStopSignalOptions {
  /**
   * What to do when the app listens to the signal itself: `leave`: nothing, the app stops itself and calls us on its way;
   * `join`: act all the same.
   * @default 'leave'
   */
  readonly whenAppListens?: 'leave' | 'join'
  /** Whether to wait until all others are through: for what has nothing to do but to back up what they wrote. @default false */
  readonly last?: boolean
}

type Handler = (signal: StopSignal, facts: { readonly appListens: boolean }) => Promise<void> | void

interface Listening {
  readonly handlers: Map<Handler, OnStopSignalOptions>
  stoppedAtMs: number | undefined
  /** It came once more while handlers ran, and by then nobody but us listened. */
  isRepeated?: boolean
  /** The handlers have run beside an app that listens, too: it ends by itself, or by sending the signal once more. */
  isLeftToApp?: boolean
}

const signals: readonly StopSignal[] = ['SIGTERM', 'SIGINT']

// npm passes on the Ctrl+C that the terminal has sent to the whole group: one key press, two signals.
const SAME_KEY_PRESS_MS = 500

/**
 * Runs `handler` when the process is told to stop (SIGTERM, SIGINT), and then lets the signal do what it would have done
 * without us. The handlers of a process run side by side; a second signal ends the process at once.
 * @returns a function that takes the handler away
 */
export function onStopSignal(handler: Handler, options: OnStopSignalOptions = {}): () => void {
  const state = listening()
  state.handlers.set(handler, options)
  return () => {
    state.handlers.delete(handler)
    // A signal must end a process that nobody of ours watches over any more.
    if (state.handlers.size === 0 && (state.stoppedAtMs === undefined || state.isLeftToApp)) unlisten()
  }
}

// Dev servers load modules again, and two copies of this package may be loaded: one listener per process all the same.
const key = Symbol.for('@sqlite-backup/core/on-stop-signal/1')
type Global = { [key]?: { readonly state: Listening; readonly listener: NodeJS.SignalsListener } }

function listening(): Listening {
  const store = globalThis as Global
  if (store[key] === undefined) {
    const state: Listening = { handlers: new Map(), stoppedAtMs: undefined }
    const listener = (signal: NodeJS.Signals): void => void onSignal(signal as StopSignal, state)
    store[key] = { state, listener }
    // The first of all: a listener that the app added with `once` is gone when it has its turn.
    for (const signal of signals) process.prependListener(signal, listener)
  }
  return store[key].state
}

function unlisten(): void {
  const store = globalThis as Global
  if (store[key] === undefined) return
  for (const signal of signals) process.off(signal, store[key].listener)
  delete store[key]
}

async function onSignal(signal: StopSignal, state: Listening): Promise<void> {
  const appListens = countAppListeners(signal, 1) > 0
  if (state.stoppedAtMs !== undefined) {
    if (appListens) return
    if (!state.isLeftToApp) {
      state.isRepeated = true
      if (performance.now() - state.stoppedAtMs < SAME_KEY_PRESS_MS) return
      process.exit(exitCodeOf(signal))
    }
  }
  if (handlersFor(state, appListens).length === 0) return
  state.stoppedAtMs = performance.now()
  state.isLeftToApp = false
  await runAll(signal, state, appListens)
  if (appListens && !state.isRepeated) {
    // It decides when it is over, also when it listened with `once` and its listener is gone.
    state.isLeftToApp = true
    if (state.handlers.size === 0) unlisten()
    return
  }
  // It is through already: the last word is ours.
  if (appListens) await runAll(signal, state, false)
  unlisten()
  // `signal-exit` finds itself alone, and lets the signal through.
  if (countAppListeners(signal, 0) > 0) return
  // The kernel keeps signals without a listener from process 1: https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
  if (process.pid === 1) process.exit(exitCodeOf(signal))
  process.kill(process.pid, signal)
}

function handlersFor(
  { handlers }: Listening,
  appListens: boolean,
): readonly (readonly [Handler, OnStopSignalOptions])[] {
  return [...handlers].filter(([, { whenAppListens }]) => !appListens || whenAppListens === 'join')
}

async function runAll(signal: StopSignal, state: Listening, appListens: boolean): Promise<void> {
  const handlers = handlersFor(state, appListens)
  const run = (isLast: boolean) =>
    Promise.all(
      handlers
        .filter(([, { last = false }]) => last === isLast)
        .map(async ([handler]) => {
          try {
            await handler(signal, { appListens })
          } catch (error) {
            // Nobody else is left to hear it: the process ends.
            stderrLogger().error({ signal }, `Not all could be closed on ${signal}: ${messageOf(error)}`)
          }
        }),
    )
  await run(false)
  await run(true)
}

function exitCodeOf(signal: StopSignal): number {
  return 128 + constants.signals[signal]
}
