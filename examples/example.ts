// Runs an example as a user would: its own `npm start`, its own command line, a disk that can be lost.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as later } from 'node:timers/promises'
import { promisify } from 'node:util'

export interface Order {
  readonly id: number
  readonly item: string
}

export interface RunningExample {
  readonly url: string
  readonly output: () => string
  readonly order: (item: string) => Promise<Order>
  readonly items: () => Promise<readonly string[]>
  /** Resolves to the exit code, or the name of the signal that ended it. */
  readonly end: (signal: 'SIGKILL' | 'SIGTERM') => Promise<number | string>
}

export interface Example {
  readonly dir: string
  readonly data: string
  readonly start: () => Promise<RunningExample>
  /** `npx sqlite-backup …` in the folder of the example. */
  readonly cli: (...args: readonly string[]) => Promise<string>
  readonly loseDisk: () => void
  readonly remove: () => void
}

export interface ExampleOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Where it is, if not in this folder. */
  readonly dir?: string
}

/** The example of that name, with a disk and a storage of its own. */
export function openExample(name: string, options: ExampleOptions = {}): Example {
  const { env = {}, dir = join(import.meta.dirname, name) } = options
  const root = mkdtempSync(join(tmpdir(), `${name}-`))
  const data = join(root, 'data')
  // No backups but those that a test asks for.
  const environment = {
    ...process.env,
    SQLITE_BACKUP_SCHEDULE: 'off',
    ...env,
    DATA_DIR: data,
    BACKUPS: join(root, 'backups'),
  }
  const started: ChildProcess[] = []
  return {
    dir,
    data,
    async start() {
      const port = await freePort()
      const app = startCommand(dir, { ...environment, PORT: String(port), HOST: '127.0.0.1', HOSTNAME: '127.0.0.1' })
      started.push(app.child)
      return await untilAnswering(app, `http://127.0.0.1:${port}`)
    },
    async cli(...args) {
      const bin = join(dir, 'node_modules', '@sqlite-backup', 'cli', 'bin', 'sqlite-backup.js')
      return (await promisify(execFile)(process.execPath, [bin, ...args], { cwd: dir, env: environment })).stdout
    },
    // What a killed app leaves behind lives a moment longer.
    loseDisk: () => rmSync(data, { recursive: true, maxRetries: 10 }),
    remove() {
      for (const child of started) child.kill('SIGKILL')
      rmSync(root, { recursive: true, force: true, maxRetries: 10 })
    },
  }
}

/** The start script of its package.json, without npm between it and the signals. */
function startCommand(cwd: string, env: NodeJS.ProcessEnv): { child: ChildProcess; output: () => string } {
  const { start } = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8')).scripts
  // `exec`: the shell makes way for the app.
  const child = spawn('sh', ['-c', start.replace(/\bnode /, 'exec node ')], {
    cwd,
    env: { ...env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  return { child, output: () => output }
}

async function untilAnswering(
  { child, output }: { child: ChildProcess; output: () => string },
  url: string,
): Promise<RunningExample> {
  const gone = once(child, 'exit').then(([code, signal]): number | string => code ?? signal)
  const call = async (init?: RequestInit): Promise<Response> => {
    const response = await fetch(`${url}/orders`, init)
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}\n${output()}`)
    return response
  }
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`The app ended:\n${output()}`)
    try {
      await call()
      break
    } catch (error) {
      // Not listening yet. Whatever else it says is what the test is about.
      if (!(error instanceof TypeError)) throw error
      await later(100)
    }
  }
  return {
    url,
    output,
    async order(item) {
      const headers = { 'content-type': 'application/json' }
      const response = await call({ method: 'POST', headers, body: JSON.stringify({ item }) })
      return (await response.json()) as Order
    },
    async items() {
      const orders = (await (await call()).json()) as readonly Order[]
      return orders.map((order) => order.item)
    },
    end(signal) {
      child.kill(signal)
      return gone
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('No port is free.')
  return address.port
}
