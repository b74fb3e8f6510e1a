// An app's process with our engine in it, for what a test's own process cannot do: other users, signals, being killed.
import { serializeError } from '../../errors.ts'
import { createCaptureClient } from '../client.ts'
import type { CapturedBackup } from '../protocol.ts'

export interface EngineOptions {
  readonly path: string
  readonly spoolFile: string
  /** For the capture process. */
  readonly env?: Readonly<Record<string, string>>
  readonly maxPinMs?: number
  /** Takes the lock of this spool folder first, and keeps it. */
  readonly lockDir?: string
  readonly lingerMs?: number
  /** Goes on after SIGINT and SIGTERM, as an app does that shuts down in its own time. */
  readonly ignoresSignals?: boolean
  /** Only says hello. */
  readonly isIdle?: boolean
}

export interface EngineMessage {
  /** Of the capture process. */
  readonly pid?: number
  readonly result?: CapturedBackup
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string }
}

const options = JSON.parse(process.argv[2] ?? '{}') as EngineOptions
const { path, spoolFile, env = {}, maxPinMs = 5_000, lockDir, lingerMs } = options
const tell = (message: EngineMessage): void => {
  process.stdout.write(`${JSON.stringify(message)}\n`)
}

if (options.ignoresSignals) for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
const client = createCaptureClient({ env, ...(lingerMs === undefined ? {} : { lingerMs }) })
try {
  const { pid } = await client.hello(undefined)
  if (lockDir !== undefined) await client.lock({ spoolDir: lockDir, waitMs: 0 })
  tell({ pid })
  if (!options.isIdle) {
    const result = await client.backup({
      path,
      spoolFile,
      encode: { compression: 'none', level: 1, frameSizeBytes: 1 << 20, inFlight: 2, pieceSizeBytes: 5 << 20 },
      maxPinMs,
      maxBlockMs: 500,
      reserveBytes: 1 << 20,
    })
    tell({ result })
  }
} catch (error) {
  tell({ error: serializeError(error) })
}
// A cluster's worker is kept by its channel.
if (process.connected) process.disconnect()
