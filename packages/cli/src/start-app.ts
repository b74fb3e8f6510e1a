import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { CliError } from './cli-error.ts'
import { exitCodes } from './exit-codes.ts'
import { sendSignal, withOwnTools } from './run-child.ts'

/** How a program ended: by itself, or by a signal. */
export interface AppEnd {
  /** Like a shell's: 128 and the number of the signal. */
  readonly exitCode: number
  readonly signal?: NodeJS.Signals
}

export interface App {
  readonly ended: Promise<AppEnd>
  /** Passes a signal on to it. */
  send(signal: NodeJS.Signals): void
  /** When it has ended: tells those that it started and left behind, and waits for them, no longer than `ms`. */
  sweep(signal: NodeJS.Signals, ms: number): Promise<void>
}

export interface StartAppOptions {
  readonly words: readonly string[]
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
}

/** What the keys of a terminal send to every process in front of it. */
const fromTheKeyboard: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT', 'SIGWINCH', 'SIGCONT']
const LOOK_MS = 20

/**
 * Starts an app with our terminal.
 * @throws CliError when it cannot be started
 */
export async function startApp({ words, cwd, env }: StartAppOptions): Promise<App> {
  const [command = '', ...args] = words
  // On a terminal the group must stay ours, or the app could not read from it.
  const isOnTerminal = process.stdin.isTTY
  const child = spawn(command, args, { cwd, env: withOwnTools(cwd, env), stdio: 'inherit', detached: !isOnTerminal })
  const ended = endOf(child)
  await started(child, words)
  return {
    ended,
    send(signal) {
      if (!isOnTerminal || !fromTheKeyboard.includes(signal)) child.kill(signal)
    },
    async sweep(signal, ms) {
      if (isOnTerminal || !sendSignal(child, true, signal)) return
      const untilMs = performance.now() + ms
      while (performance.now() < untilMs && sendSignal(child, true, 0)) await delay(LOOK_MS)
    },
  }
}

function started(child: ChildProcess, words: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve)
    child.on('error', (cause) => {
      const message = `${words.join(' ')} could not be started: ${cause.message}`
      reject(new CliError({ code: 'APP_NOT_STARTED', message }, exitCodes.failed))
    })
  })
}

function endOf(child: ChildProcess): Promise<AppEnd> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => {
      if (signal === null) resolve({ exitCode: code ?? exitCodes.failed })
      else resolve({ exitCode: 128 + constants.signals[signal], signal })
    })
  })
}
