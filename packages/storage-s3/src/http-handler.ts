import { once } from 'node:events'
import http from 'node:http'
import https from 'node:https'
import type { LookupFunction, Socket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { disposeChunk } from '@sqlite-backup/core'
import { disposeSocketChunks } from './socket-chunks.ts'

/** What the SDK asks of the code that carries its requests. */
export interface HttpHandler {
  readonly metadata: { readonly handlerProtocol: string }
  handle(request: HttpRequest, options?: { readonly abortSignal?: unknown }): Promise<{ response: HttpResponse }>
  /** Reads the authorities that TLS trusts. */
  prepareTls(): void
  destroy(): void
  updateHttpClientConfig(): void
  httpHandlerConfigs(): Record<string, never>
}

interface HttpRequest {
  readonly method: string
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly query?: Readonly<Record<string, string | string[] | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: unknown
}

interface HttpResponse {
  readonly statusCode: number
  readonly reason?: string
  readonly headers: Record<string, string>
  readonly body: http.IncomingMessage
}

export interface HttpHandlerOptions {
  readonly timeouts: { readonly connectMs: number; readonly requestMs: number; readonly idleMs: number }
  /** PEM of the authorities to trust instead of the public ones. */
  readonly ca?: string
  readonly lookup?: LookupFunction
}

/** Bytes handed to the socket at once: a whole part over TLS would block the event loop for milliseconds. */
const sliceBytes = 128 * 1024
/** How long a store may think about `Expect: 100-continue` before the body is sent unasked: what curl waits. */
const continueMs = 1000

/**
 * Carries requests over `node:http(s)`.
 *
 * The SDK's own handler is not used because it writes a body in one piece, takes a store's early refusal (quota, credentials)
 * for a broken pipe, opens a connection per part when it asks first, and counts a slow upload as a late answer.
 */
export function createHttpHandler(options: HttpHandlerOptions): HttpHandler {
  const shared = { keepAlive: true, maxSockets: 64, ...(options.lookup && { lookup: options.lookup }) }
  const plain = new http.Agent(shared)
  let secureAgent: https.Agent | undefined
  const secure = (): https.Agent => {
    // With a context of its own: parsing the authorities, which takes milliseconds, can be done ahead.
    if (secureAgent === undefined) {
      const secureContext = createSecureContext(options.ca === undefined ? {} : { ca: options.ca })
      secureAgent = new https.Agent({ ...shared, secureContext })
    }
    return secureAgent
  }
  let asksFirst = true

  async function handle(
    request: HttpRequest,
    { abortSignal }: { readonly abortSignal?: unknown } = {},
  ): Promise<{ response: HttpResponse }> {
    const signal = abortSignal instanceof AbortSignal ? abortSignal : undefined
    signal?.throwIfAborted()
    const isSecure = request.protocol === 'https:'
    const headers: Record<string, string> = { ...request.headers }
    if (!asksFirst) delete headers.Expect
    // Some stores want to hear that a DELETE has no body, which Node does not say.
    if (request.body === undefined && request.method === 'DELETE') headers['content-length'] ??= '0'
    const call = (isSecure ? https : http).request({
      method: request.method,
      host: request.hostname.replace(/^\[|\]$/g, ''),
      port: request.port ?? (isSecure ? 443 : 80),
      path: request.path + queryText(request.query),
      headers,
      agent: isSecure ? secure() : plain,
    })
    const deadline = createDeadline(call)
    let isAnswered = false
    const answer = new Promise<http.IncomingMessage>((resolve, reject) => {
      call.once('response', (response) => {
        isAnswered = true
        resolve(response)
      })
      call.once('error', reject)
      call.once('close', () => reject(timeoutError('The connection closed before the answer.', 'ECONNRESET')))
    })
    // Whoever waits for the answer hears of it; nobody may be waiting when a request fails late.
    answer.catch(() => {})
    call.on('error', () => {})
    const onAbort = () => call.destroy(abortError(signal))
    signal?.addEventListener('abort', onAbort, { once: true })
    call.once('close', () => signal?.removeEventListener('abort', onAbort))

    try {
      deadline.start(options.timeouts.connectMs, 'no connection')
      await Promise.race([connected(call), answer])
      if ('Expect' in headers) {
        call.flushHeaders()
        deadline.start(options.timeouts.requestMs, 'no answer')
        const outcome = await firstWord(call, answer)
        if (outcome === 'nothing') asksFirst = false
        if (outcome === 'refused') return { response: toResponse(await answer, call) }
      }
      const isOver = () => isAnswered || call.destroyed
      await Promise.race([writeBody(call, request.body, isOver, deadline, options.timeouts.idleMs), answer])
      deadline.start(options.timeouts.requestMs, 'no answer')
      const response = await answer
      if (response.statusCode === 417) asksFirst = false
      watchForStall(response, options.timeouts.idleMs)
      disposeSocketChunks(response)
      return { response: toResponse(response, call) }
    } catch (error) {
      call.destroy()
      throw error
    } finally {
      deadline.stop()
    }
  }

  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle,
    prepareTls: () => void secure(),
    destroy() {
      plain.destroy()
      secureAgent?.destroy()
    },
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  }
}

/** TCP and, where there is one, the TLS handshake. A connection from the pool has both. */
async function connected(call: http.ClientRequest): Promise<void> {
  const socket: Socket & { readonly secureConnecting?: boolean } = call.socket ?? (await once(call, 'socket'))[0]
  if (socket.secureConnecting) await once(socket, 'secureConnect')
  else if (socket.connecting) await once(socket, 'connect')
}

/** What a store says to `Expect: 100-continue`. */
async function firstWord(
  call: http.ClientRequest,
  answer: Promise<unknown>,
): Promise<'continue' | 'refused' | 'nothing'> {
  let timer: NodeJS.Timeout | undefined
  const goOn = new Promise<'continue'>((resolve) => call.once('continue', () => resolve('continue')))
  const silence = new Promise<'nothing'>((resolve) => {
    timer = setTimeout(() => resolve('nothing'), continueMs)
  })
  try {
    return await Promise.race([goOn, silence, answer.then((): 'refused' => 'refused')])
  } finally {
    clearTimeout(timer)
  }
}

async function writeBody(
  call: http.ClientRequest,
  body: unknown,
  isOver: () => boolean,
  deadline: Deadline,
  idleMs: number,
): Promise<void> {
  for await (const { slice, spent } of slices(body)) {
    // Answered or failed early: whoever waits for the answer knows better what to do.
    if (isOver()) return
    deadline.start(idleMs, 'nothing was taken')
    if (!call.write(slice, () => spent && disposeChunk(spent))) await drained(call)
    deadline.stop()
  }
  call.end()
}

/** Until the socket takes more, or never will. */
function drained(call: http.ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off('drain', done)
      call.off('close', done)
      resolve()
    }
    call.on('drain', done)
    call.on('close', done)
  })
}

interface Slice {
  readonly slice: Uint8Array
  /** The chunk that is of no further use once this slice, its last, is sent. */
  readonly spent?: Uint8Array
}

async function* slices(body: unknown): AsyncGenerator<Slice, void, void> {
  if (body === undefined || body === null) return
  if (typeof body === 'string') yield { slice: Buffer.from(body) }
  else if (ArrayBuffer.isView(body)) yield* slicesOf(new Uint8Array(body.buffer, body.byteOffset, body.byteLength))
  else for await (const chunk of body as AsyncIterable<Uint8Array>) yield* slicesOf(chunk, chunk)
}

function* slicesOf(bytes: Uint8Array, spent?: Uint8Array): Generator<Slice, void, void> {
  const { byteLength } = bytes
  for (let at = 0; at < byteLength; at += sliceBytes) {
    const slice = bytes.subarray(at, at + sliceBytes)
    yield spent !== undefined && at + sliceBytes >= byteLength ? { slice, spent } : { slice }
  }
}

function toResponse(response: http.IncomingMessage, call: http.ClientRequest): HttpResponse {
  // Half a request was sent: the connection is of no further use once the answer is read.
  if (!call.writableFinished) response.once('close', () => call.destroy())
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(',') : value
  }
  return {
    statusCode: response.statusCode ?? 0,
    ...(response.statusMessage !== undefined && { reason: response.statusMessage }),
    headers,
    body: response,
  }
}

/** Breaks off an answer when its reader waits for bytes and none come. A reader who takes his time is left alone. */
function watchForStall(response: http.IncomingMessage, idleMs: number): void {
  let seenBytes = -1
  let quietTicks = 0
  const ticks = 4
  const timer = setInterval(() => {
    const readBytes = response.socket.bytesRead
    quietTicks = readBytes === seenBytes && response.readableLength === 0 ? quietTicks + 1 : 0
    seenBytes = readBytes
    if (quietTicks >= ticks) response.destroy(timeoutError(`The answer stalled: no byte for ${idleMs} ms.`))
  }, idleMs / ticks)
  timer.unref()
  response.once('close', () => clearInterval(timer))
}

interface Deadline {
  start(timeoutMs: number, what: string): void
  stop(): void
}

/** At most one timer at a time that ends the request. */
function createDeadline(call: http.ClientRequest): Deadline {
  let timer: NodeJS.Timeout | undefined
  return {
    start(timeoutMs, what) {
      clearTimeout(timer)
      timer = setTimeout(() => call.destroy(timeoutError(`Timed out: ${what} within ${timeoutMs} ms.`)), timeoutMs)
    },
    stop: () => clearTimeout(timer),
  }
}

function timeoutError(message: string, code = 'ETIMEDOUT'): Error {
  return Object.assign(new Error(message), { name: 'TimeoutError', code })
}

function abortError(signal: AbortSignal | undefined): Error {
  return Object.assign(new Error('The request was aborted.', { cause: signal?.reason }), { name: 'AbortError' })
}

/** With RFC 3986 escapes, as it was signed. */
function queryText(query: HttpRequest['query']): string {
  const parts: string[] = []
  for (const name of Object.keys(query ?? {}).sort()) {
    const value = query?.[name]
    if (value === undefined) continue
    if (value === null) parts.push(escapeUri(name))
    else for (const each of [value].flat()) parts.push(`${escapeUri(name)}=${escapeUri(each)}`)
  }
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

function escapeUri(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
}
