import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'

/** An app that runs, or ran. */
export interface AppProcess {
  readonly child: ChildProcess
  /** All it printed so far, on stdout and stderr. */
  output(): string
  /** Waits until it prints something; fails when it ends without. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>
  /** How it ended: its exit code, or the signal. */
  readonly ended: Promise<number | NodeJS.Signals>
}

/** Starts a program and reads what it prints. It does not outlive the test. */
export function startProcess(
  [command = '', ...args]: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
): AppProcess {
  // One pipe for both: of two, nobody knows in which order their lines were written.
  const child = spawn('sh', ['-c', 'exec "$0" "$@" 2>&1', command, ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text
      for (const look of waiting) look()
    })
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(signal ?? code ?? -1))
  })
  onTestFinished(() => {
    if (child.exitCode === null && child.signalCode === null) killTree(child)
  })
  return {
    child,
    output: () => printed,
    ended,
    async waitFor(pattern) {
      const found = Promise.withResolvers<RegExpExecArray>()
      const look = (): void => {
        const match = pattern.exec(printed)
        if (match !== null) found.resolve(match)
      }
      waiting.add(look)
      look()
      const gone = ended.then((end) => {
        const match = pattern.exec(printed)
        if (match === null) throw new Error(`It ended (${end}) without printing ${pattern}:\n${printed}`)
        return match
      })
      try {
        return await Promise.race([found.promise, gone])
      } finally {
        waiting.delete(look)
      }
    },
  }
}

/** As when a machine loses its power: the process and all that it started are gone at once. */
export function killTree({ pid }: ChildProcess): void {
  if (pid === undefined) return
  const parents = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
  const doomed = new Set([pid])
  // A child may be listed before its parent: until nothing is found any more.
  for (let before = 0; before < doomed.size; ) {
    before = doomed.size
    for (const [child = 0, parent = 0] of parents) if (doomed.has(parent)) doomed.add(child)
  }
  for (const each of doomed) {
    try {
      process.kill(each, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }
}
