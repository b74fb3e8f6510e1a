import { type ChildProcess, fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import type { EncodeOptions } from '../../codec/codec.ts'
import { type CaptureClient, type CaptureClientOptions, createCaptureClient } from '../client.ts'
import type { CaptureBackup, CapturedBackup, CaptureProgress } from '../protocol.ts'
import type { AppOptions, AppReport } from './app.ts'

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
