import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

export interface NodeRequestOptions {
  /** The whole path as the browser sent it, with its query. @default request.url */
  readonly url?: string
  /** `https` when the host knows so. @default http */
  readonly protocol?: string
  /** @default the Host header */
  readonly host?: string | undefined
  /** What an earlier parser made of the body, when it has been read. */
  readonly parsedBody?: unknown
  /** Fires when the client has gone. */
  readonly signal?: AbortSignal
}

/** A Request with the method, headers and body of Node's. */
export function toRequest(request: IncomingMessage, options: NodeRequestOptions = {}): Request {
  const { url = request.url ?? '/', protocol = 'http', host = request.headers.host, parsedBody, signal } = options
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    // HTTP/2's own, like :path, are no headers.
    if (value === undefined || name.startsWith(':')) continue
    for (const each of Array.isArray(value) ? value : [value]) headers.append(name, each)
  }
  // fetch's Request throws at TRACE; the admin answers to OPTIONS just as little. https://fetch.spec.whatwg.org/#methods
  const method = request.method === 'TRACE' ? 'OPTIONS' : (request.method ?? 'GET')
  const address = new URL(addressOf(protocol, host, url))
  const init = { method, headers, ...(signal === undefined ? {} : { signal }) }
  if (method === 'GET' || method === 'HEAD') return new Request(address, init)
  if (parsedBody !== undefined) {
    const text = encodeParsed(parsedBody, headers.get('content-type') ?? '')
    headers.delete('content-length')
    return new Request(address, { ...init, body: text })
  }
  return new Request(address, {
    ...init,
    body: Readable.toWeb(request) as ReadableStream<Uint8Array>,
    // Required by fetch's Request for a body that is a stream.
    duplex: 'half',
  } as RequestInit)
}

function addressOf(protocol: string, host: string | undefined, url: string): string {
  // `//evil.test/x` as a path would be another host.
  const path = `/${withoutDots(url.replace(/^https?:\/\/[^/]*/i, '').replace(/^\/+/, ''))}`
  const base = `${protocol === 'https' ? 'https' : 'http'}://${host ?? 'localhost'}`
  return `${URL.canParse(base) ? new URL(base).origin : 'http://invalid.localhost'}${path}`
}

/**
 * `x/../restore` is `restore` for a URL, and was not for the guards of the host, which saw the path as it was sent: `%zz`
 * is in no path that is answered. Likewise a backslash, which a URL takes for a slash.
 * https://url.spec.whatwg.org/#double-dot-path-segment
 */
function withoutDots(url: string): string {
  const [, path = '', rest = ''] = /^([^?#]*)(.*)$/s.exec(url) ?? []
  return `${path.replaceAll('\\', '/%zz/').replace(/(?<=^|\/)(?:\.|%2e){1,2}(?=$|\/)/gi, '%zz')}${rest}`
}

/** A body parser of the app was first: what it read goes back into text. */
function encodeParsed(parsed: unknown, contentType: string): string | Uint8Array<ArrayBuffer> {
  if (typeof parsed === 'string') return parsed
  if (parsed instanceof Uint8Array) return new Uint8Array(parsed)
  if (!contentType.includes('application/x-www-form-urlencoded')) return JSON.stringify(parsed)
  const fields = Object.entries(parsed as object).filter(([, value]) => typeof value === 'string')
  return new URLSearchParams(fields as [string, string][]).toString()
}
