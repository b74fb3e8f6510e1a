import { exitCodes } from './exit-codes.ts'
import type { App } from './start-app.ts'

/** What came from outside while an app is run, and the clock of its end. */
export interface Stop {
  /** The first that said stop. */
  readonly signal: NodeJS.Signals | undefined
  /** From now on there is somebody to pass signals on to; also those that came before. */
  appStarted(app: App): void
  appEnded(): { readonly hadLastCall: boolean }
  /** Of the time that a stop may take; all of it as long as nobody has said stop. */
  leftMs(): number
  untilLastCallMs(): number
  ignore(): void
}

/** What is passed on to the app. */
const passedOn: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  'SIGQUIT',
  'SIGUSR1',
  'SIGUSR2',
  'SIGCONT',
  'SIGWINCH',
]
/** These also say stop. */
const stops: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT']

/** After this part of the time the last backup does not wait for the app. */
const LAST_CALL_AFTER = 0.7
/** An app that used up all the time leaves this much for saying so. */
const LEAST_MS = 500
/** npm passes on the Ctrl+C that the terminal has sent to the whole group: one key press, two signals. */
const SAME_KEY_PRESS_MS = 500

/** Listens to signals, and passes them on to the app. The first that says stop starts the clock. */
export function listenForStop(deadlineMs: number, lastCall: (leftMs: number) => unknown): Stop {
  const early: NodeJS.Signals[] = []
  let app: App | undefined
  let hasEnded = false
  let hadLastCall = false
  let stopped: { readonly signal: NodeJS.Signals; readonly atMs: number; readonly timer: NodeJS.Timeout } | undefined

  const leftOf = (ms: number): number => ms - (stopped === undefined ? 0 : performance.now() - stopped.atMs)
  const leftMs = (): number => Math.max(LEAST_MS, leftOf(deadlineMs))
  const onSignal = (signal: NodeJS.Signals): void => {
    if (hasEnded) leaveIfAskedAgain(signal)
    else if (app === undefined) early.push(signal)
    else app.send(signal)
    if (stopped !== undefined || !stops.includes(signal)) return
    const timer = setTimeout(() => {
      if (hasEnded) return
      hadLastCall = true
      lastCall(leftMs())
    }, deadlineMs * LAST_CALL_AFTER)
    stopped = { signal, atMs: performance.now(), timer }
  }
  // Only the last backup is left then: who asks twice does not want to wait for it.
  const leaveIfAskedAgain = (signal: NodeJS.Signals): void => {
    if (stopped === undefined || !stops.includes(signal)) return
    if (performance.now() - stopped.atMs > SAME_KEY_PRESS_MS) process.exit(exitCodes.interrupted)
  }
  for (const signal of passedOn) process.on(signal, onSignal)
  return {
    get signal() {
      return stopped?.signal
    },
    appStarted(started) {
      app = started
      for (const signal of early) app.send(signal)
    },
    appEnded() {
      hasEnded = true
      return { hadLastCall }
    },
    leftMs,
    untilLastCallMs: () => Math.max(0, leftOf(deadlineMs * LAST_CALL_AFTER)),
    ignore() {
      clearTimeout(stopped?.timer)
      for (const signal of passedOn) process.off(signal, onSignal)
    },
  }
}
