import { type ChildProcess, spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export interface RunChild {
  readonly words: readonly string[]
  readonly cwd: string
  readonly env: NodeJS.ProcessEnv
  /** Its stdout goes to our stderr: ours is for a program to read. */
  readonly keepsStdoutClean: boolean
  /** Aborted: the command is asked to end, and waited for. */
  readonly signal: AbortSignal
  /** Told its process id. */
  readonly onStart?: (pid: number) => void
}

/** How long a command that was asked to end may take. */
const GRACE_MS = 10_000

/**
 * Runs a command with our terminal and waits for its end.
 * @throws Error when it cannot be started, exits with another code than 0, or is ended by a signal
 */
export async function runChild({ words, cwd, env, keepsStdoutClean, signal, onStart }: RunChild): Promise<void> {
  const [command = '', ...args] = words
  const shown = words.join(' ')
  // The tools of node_modules/.bin are often shell scripts that start the tool: only a signal to the whole group reaches
  // it. On a terminal the group must stay ours, or the command could not ask anything; there Ctrl+C reaches all of it.
  const hasGroup = !process.stdin.isTTY
  const child = spawn(command, args, {
    cwd,
    env: withOwnTools(cwd, env),
    stdio: ['inherit', keepsStdoutClean ? 2 : 'inherit', 'inherit'],
    detached: hasGroup,
  })
  if (child.pid !== undefined) onStart?.(child.pid)
  const end = (): void => void sendSignal(child, hasGroup, 'SIGTERM')
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    await ended(child, shown)
  } finally {
    signal.removeEventListener('abort', end)
    // Whoever writes on would write into what is about to be judged.
    if (signal.aborted && hasGroup) await groupEnded(child)
  }
}

/** As `npx` does, so that the project's own tools are found. */
export function withOwnTools(cwd: string, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const path = [join(cwd, 'node_modules', '.bin'), env.PATH].filter((each) => each !== undefined).join(delimiter)
  return { ...env, PATH: path }
}

function ended(child: ChildProcess, shown: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new Error(`${shown} could not be started: ${cause.message}`, { cause })))
    child.once('close', (code, signalName) => {
      if (code === 0) resolve()
      else reject(new Error(`${shown} ${code === null ? `was ended by ${signalName}` : `exited with ${code}`}`))
    })
  })
}

async function groupEnded(child: ChildProcess): Promise<void> {
  const deadline = performance.now() + GRACE_MS
  while (sendSignal(child, true, 0)) {
    if (performance.now() > deadline) sendSignal(child, true, 'SIGKILL')
    await delay(20)
  }
}

/** False when there is nobody (left) to hear it. */
export function sendSignal({ pid }: ChildProcess, toGroup: boolean, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(toGroup ? -pid : pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
