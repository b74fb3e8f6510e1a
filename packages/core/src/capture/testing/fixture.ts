import { type ChildProcess, fork, type SpawnOptions, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import type { EncodeOptions } from '../../codec/codec.ts'
import { type CaptureClient, type CaptureClientOptions, createCaptureClient } from '../client.ts'
import type { CaptureBackup, CapturedBackup, CaptureProgress } from '../protocol.ts'
import type { AppOptions, AppReport } from './app.ts'
import type { EngineMessage, EngineOptions } from './engine.ts'

/** A folder that goes with the test. */
export function tempDir(under = tmpdir()): string {
  const dir = mkdtempSync(join(under, 'sqlite-backup-test-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A client that is closed with the test. */
export function testClient(options: CaptureClientOptions = {}): CaptureClient {
  const client = createCaptureClient(options)
  onTestFinished(() => client.close())
  return client
}

export interface App {
  readonly process: ChildProcess
  /** Asks it to close its database and leave. */
  stop(): Promise<AppReport>
  /** kill -9. */
  kill(): Promise<void>
}

/** A writer in its own process, once it has its tables. */
export async function startApp(options: AppOptions): Promise<App> {
  const child = fork(join(import.meta.dirname, 'app.ts'), [JSON.stringify(options)], { execArgv: [], silent: false })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const report = Promise.withResolvers<AppReport>()
  report.promise.catch(() => {}) // Only those who stop it care.
  gone.then(() => report.reject(new Error('The app is gone.')))
  await new Promise<void>((resolve, reject) => {
    gone.then(() => reject(new Error('The app could not start.')))
    child.on('message', (message: { ready?: true; report?: AppReport }) => {
      if (message.ready) resolve()
      if (message.report) report.resolve(message.report)
    })
  })
  return {
    process: child,
    async stop() {
      child.send('stop')
      const result = await report.promise
      await gone
      return result
    },
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
}

/** The body is the database file itself. */
export const plainEncoding: EncodeOptions = {
  compression: 'none',
  level: 1,
  frameSizeBytes: 1024 * 1024,
  inFlight: 2,
  pieceSizeBytes: 5 * 1024 * 1024,
}

export interface TestBackup {
  readonly result: CapturedBackup
  /** The database image. */
  readonly image: string
  readonly events: readonly CaptureProgress[]
}

let nextImage = 1

/** Backs up without packing, so that the spool file is the image. */
export async function backUp(
  client: CaptureClient,
  path: string,
  options: Partial<CaptureBackup> & {
    readonly spoolDir?: string
    readonly onEvent?: (event: CaptureProgress) => void
    readonly signal?: AbortSignal
  } = {},
): Promise<TestBackup> {
  const { spoolDir = tempDir(), onEvent, signal, ...params } = options
  const image = join(spoolDir, `image-${nextImage++}.db`)
  const events: CaptureProgress[] = []
  const result = await client.backup(
    {
      path,
      spoolFile: image,
      encode: plainEncoding,
      maxPinMs: 5_000,
      maxBlockMs: 500,
      reserveBytes: 1024 * 1024,
      ...params,
    },
    {
      signal,
      onEvent(event) {
        events.push(event)
        onEvent?.(event)
      },
    },
  )
  return { result, image, events }
}

export interface Books {
  readonly integrity: string
  readonly sum: number
  readonly accounts: number
  /** Transactions done. */
  readonly n: number
  /** Number of the newest row of the ledger. */
  readonly newest: number
  /** Rows missing between the oldest and the newest. */
  readonly holes: number
}

/** What the app's rules say about an image: torn by a single transaction they do not hold. */
export function readBooks(image: string): Books {
  const database = new Database(image)
  try {
    const integrity = database.pragma('integrity_check', { simple: true }) as string
    const row = database
      .prepare(
        `SELECT (SELECT sum(balance) FROM account) AS sum, (SELECT count(*) FROM account) AS accounts,
          (SELECT n FROM counter) AS n, coalesce((SELECT max(n) FROM ledger), 0) AS newest,
          (SELECT coalesce(max(n) - min(n) + 1 - count(*), 0) FROM ledger) AS holes`,
      )
      .get() as Omit<Books, 'integrity'>
    return { integrity, ...row }
  } finally {
    database.close()
  }
}

export function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

export interface EngineRun {
  readonly process: ChildProcess
  /** The first thing it tells of this kind. */
  told<K extends keyof EngineMessage>(kind: K): Promise<NonNullable<EngineMessage[K]>>
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
}

/** An app's process with our engine in it. */
export function startEngine(
  options: EngineOptions,
  spawnOptions: SpawnOptions & { readonly nodeFlags?: readonly string[] } = {},
): EngineRun {
  const { nodeFlags = [], ...rest } = spawnOptions
  const child = spawn(
    process.execPath,
    [...nodeFlags, join(import.meta.dirname, 'engine.ts'), JSON.stringify(options)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      ...rest,
    },
  )
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const messages: EngineMessage[] = []
  const waiting = new Set<() => void>()
  let isGone = false
  const wake = (): void => {
    for (const each of waiting) each()
  }
  if (child.stdout) {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('{')) messages.push(JSON.parse(line) as EngineMessage)
      wake()
    })
  }
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once('close', (code, signal) => {
      isGone = true
      resolve({ code, signal })
      wake()
    })
  })
  return {
    process: child,
    exited,
    told: (kind) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = messages.find((message) => message[kind] !== undefined)?.[kind]
          if (found === undefined && !isGone) return
          waiting.delete(look)
          if (found === undefined) reject(new Error(`The engine ended without telling its ${kind}.`))
          else resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}

/** Lets such a process do one backup and end by itself. */
export async function runEngine(
  options: EngineOptions,
  spawnOptions: Parameters<typeof startEngine>[1] = {},
): Promise<EngineMessage> {
  const engine = startEngine(options, spawnOptions)
  const [result, error] = await Promise.allSettled([engine.told('result'), engine.told('error'), engine.exited])
  return {
    ...(result.status === 'fulfilled' ? { result: result.value } : {}),
    ...(error.status === 'fulfilled' ? { error: error.value } : {}),
  }
}

/** Whether a process of this id is there. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Waits until it is so, or fails after a while. */
export async function until(what: string, isSo: () => boolean, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!isSo()) {
    if (performance.now() > deadline) throw new Error(`It never came true that ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
