import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const bin = fileURLToPath(new URL('../../bin/sqlite-backup.js', import.meta.url))

export interface CliResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
}

/** Runs the program as a user does, in `dir`, with nothing but PATH and HOME in its environment. */
export async function runCli(dir: string, args: readonly string[], options: RunOptions = {}): Promise<CliResult> {
  const child = startCli(dir, args, options)
  const [stdout, stderr, exitCode] = await Promise.all([textOf(child.stdout), textOf(child.stderr), exitOf(child)])
  return { exitCode, stdout, stderr }
}

/** The same, still running. */
export function startCli(dir: string, args: readonly string[], { env = {} }: RunOptions = {}): ChildProcess {
  return spawn(process.execPath, [bin, ...args], {
    cwd: dir,
    env: bareEnv(dir, env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Every line of stdout as JSON: events, and the result at the end. */
export function parseJsonLines(stdout: string): {
  // biome-ignore lint/suspicious/noExplicitAny: what is in there is what the test is about
  readonly events: readonly any[]
  // biome-ignore lint/suspicious/noExplicitAny: the same
  readonly last: any
} {
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  return { events: lines.slice(0, -1), last: lines.at(-1) }
}

export interface TerminalSession {
  /** All that was shown so far, with its escape sequences. */
  text(): string
  /** Resolves when `pattern` is shown. */
  waitFor(pattern: RegExp): Promise<void>
  /** Types. */
  send(keys: string): void
  readonly exited: Promise<number>
}

export const keys = { ctrlC: '\u0003', enter: '\r', left: '\u001b[D', down: '\u001b[B' } as const

/** Runs the program on a terminal of its own: util-linux's `script` makes one. */
export function runInTerminal(
  dir: string,
  args: readonly string[],
  { env = {}, columns = 100 }: RunOptions & { readonly columns?: number } = {},
): TerminalSession {
  const command = [process.execPath, bin, ...args].map((word) => `'${word}'`).join(' ')
  const child = spawn('script', ['-qec', `stty cols ${columns} rows 40; exec ${command}`, '/dev/null'], {
    cwd: dir,
    env: bareEnv(dir, { TERM: 'xterm-256color', ...env }),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let shown = ''
  const waiting = new Set<() => void>()
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    shown += chunk
    for (const look of waiting) look()
  })
  const exited = exitOf(child)
  return {
    text: () => shown,
    send: (typed) => void child.stdin.write(typed),
    exited,
    async waitFor(pattern) {
      const found = Promise.withResolvers<void>()
      const look = (): void => {
        if (pattern.test(shown)) found.resolve()
      }
      waiting.add(look)
      look()
      const ended = exited.then(() => {
        if (!pattern.test(shown)) throw new Error(`It ended without showing ${pattern}:\n${shown}`)
      })
      await Promise.race([found.promise, ended])
      waiting.delete(look)
    },
  }
}

function bareEnv(dir: string, env: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: dir, AWS_EC2_METADATA_DISABLED: 'true', ...env }
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = ''
  for await (const chunk of stream ?? []) text += chunk
  return text
}

/** Like a shell: 128 and the number for a process that a signal ended. */
export function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve(code ?? (signal === 'SIGKILL' ? 137 : 143)))
  })
}
