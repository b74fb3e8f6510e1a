import { readFileSync } from 'node:fs'
import type { LookupFunction } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { BackupError, isBackupError, messageOf } from '@sqlite-backup/core'
import { createHttpHandler, type HttpHandler } from './http-handler.ts'
import type { Env } from './platform-env.ts'
import { type CallFacts, isAnswer, toBackupError } from './s3-error.ts'
import { addMiddleware } from './s3-middleware.ts'
import { invalid, type S3Settings } from './s3-options.ts'

export type Sdk = typeof import('@aws-sdk/client-s3')

/** What a call works with. */
export interface Wire extends Opened {
  /** Options of `client.send`. */
  readonly http: { readonly abortSignal?: AbortSignal }
}

/** One store behind one SDK client, which is loaded and made on first use: an app that never stores pays nothing. */
export interface S3Connection {
  /** Runs SDK calls; whatever they throw comes out as a BackupError. */
  call<T>(facts: Omit<CallFacts, 'storage'>, run: (wire: Wire) => Promise<T>): Promise<T>
  /** Loads the SDK, which takes some 80 ms of the event loop, and the authorities that TLS trusts. */
  prepare(): Promise<void>
  /** Passes on an upload that `close` waits for, a moment, once it is `isEnding`: what it sent is still to be removed. */
  during<T>(upload: Promise<T>, isEnding: () => boolean): Promise<T>
  close(): Promise<void>
}

/** How long `close` waits for failed and aborted uploads to remove their parts. */
const tidyMs = 2_000

interface Opened {
  readonly client: S3Client
  readonly sdk: Sdk
}

/** What tests replace. */
export interface Surroundings {
  readonly now: () => Date
  readonly lookup?: LookupFunction
  /** @default process.env */
  readonly env?: Env
}

export function createConnection(name: string, settings: S3Settings, surroundings: Surroundings): S3Connection {
  let opened: Promise<Opened> | undefined
  let isClosed = false
  const refusedSince = new Map<string, string>()
  const uploads = new Map<Promise<unknown>, () => boolean>()
  const closed = () => new BackupError('CLOSED', `${name} is closed.`)

  // Outlives the clients: one with new credentials goes on with the sockets of the one before.
  let sockets: HttpHandler | undefined

  async function open(): Promise<Opened> {
    const sdk = await import('@aws-sdk/client-s3')
    if (isClosed) throw closed()
    sockets ??= openSockets(settings, surroundings.lookup)
    return { sdk, client: createClient(sdk, settings, sockets) }
  }

  return {
    async call(facts, run) {
      if (isClosed) throw closed()
      const { operation, signal } = facts
      const attempt = async (current: Promise<Opened>) => {
        const { client, sdk } = await current
        try {
          signal?.throwIfAborted()
          const result = await run({ client, sdk, http: signal === undefined ? {} : { abortSignal: signal } })
          refusedSince.delete(operation)
          return result
        } catch (error) {
          throw toBackupError(error, {
            ...facts,
            storage: name,
            secrets: await secretsOf(client),
            refusedSince() {
              const since = refusedSince.get(operation) ?? surroundings.now().toISOString()
              refusedSince.set(operation, since)
              return since
            },
          })
        }
      }
      opened ??= open()
      const current = opened
      try {
        return await attempt(current)
      } catch (error) {
        if (!isDoubtful(error, facts)) throw error
        // Asks for credentials anew, which the SDK only does when they said themselves that they end. Another call may have.
        if (isExpiry(error) && opened === current) opened = open()
        return attempt(opened)
      }
    },
    async prepare() {
      opened ??= open()
      await opened
      if (!settings.endpoint?.startsWith('http:')) sockets?.prepareTls()
    },
    async during(upload, isEnding) {
      uploads.set(upload, isEnding)
      try {
        return await upload
      } finally {
        uploads.delete(upload)
      }
    },
    async close() {
      const ending = [...uploads].flatMap(([upload, isEnding]) => (isEnding() ? [upload] : []))
      if (ending.length > 0) await Promise.race([Promise.allSettled(ending), sleep(tidyMs, undefined, { ref: false })])
      isClosed = true
      sockets?.destroy()
    },
  }
}

/**
 * A wrong bit in a request, or half a request, is another request to the store, which it refuses for reasons of its own:
 * RGW says AccessDenied to a body that ends early. So a refusal has to be said twice. Nothing was done, so asking again is safe.
 */
function isDoubtful(error: unknown, { operation, signal }: Omit<CallFacts, 'storage'>): boolean {
  if (signal?.aborted || !isBackupError(error)) return false
  const codes =
    operation === 'put' ? ['STORAGE_DENIED', 'STORAGE_FAILED', 'OBJECT_MISSING'] : ['STORAGE_DENIED', 'STORAGE_FAILED']
  return codes.includes(error.code) && isAnswer(error)
}

function isExpiry(error: unknown): boolean {
  return (
    error instanceof BackupError &&
    error.cause instanceof Error &&
    /^(ExpiredToken|InvalidToken|TokenRefresh)/.test(error.cause.name)
  )
}

const say = () => {}
/** What is worth saying is thrown; by itself the SDK writes to the console of an app that is not ours. */
const silent = { trace: say, debug: say, info: say, warn: say, error: say }

function openSockets({ timeouts, caFile }: S3Settings, lookup: LookupFunction | undefined): HttpHandler {
  return createHttpHandler({
    timeouts,
    ...(caFile !== undefined && { ca: readAuthority(caFile) }),
    ...(lookup !== undefined && { lookup }),
  })
}

function createClient(sdk: Sdk, settings: S3Settings, sockets: HttpHandler): S3Client {
  const { endpoint, region, credentials, forcePathStyle, preset } = settings
  const client = new sdk.S3Client({
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials: async () => ({ ...(await credentials()) }) }),
    forcePathStyle,
    // Retrying is done above (withRetry) and, for parts, in multipart-upload.ts: a stream cannot be sent twice here.
    maxAttempts: 1,
    // Payloads are signed with their SHA-256; CRC headers upset R2, B2 and GCS: https://github.com/aws/aws-sdk-js-v3/issues/6810
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    logger: silent,
    requestHandler: sockets,
  })
  addMiddleware(client, preset.headers)
  return client
}

function readAuthority(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw invalid(`The caFile cannot be read: ${messageOf(error)}.`)
  }
}

/** Key, secret and token as they are in use. They are remembered by the SDK, so this asks nobody anew. */
async function secretsOf(client: S3Client): Promise<readonly string[]> {
  try {
    const { accessKeyId, secretAccessKey, sessionToken } = await client.config.credentials()
    return [accessKeyId, secretAccessKey, sessionToken ?? '']
  } catch {
    // Without credentials there is nothing to hide, and why there are none is what the caller is being told.
    return []
  }
}
