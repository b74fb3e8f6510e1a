import http from 'node:http'
import type { AddressInfo } from 'node:net'

/** What becomes of a request: it passes, its answer is lost, or it never reaches the store and this is said instead. */
export type Fate =
  | 'pass'
  | 'lose-answer'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string }

export interface AnswerProxy {
  readonly endpoint: string
  /** Requests so far, like `PUT /backups/key`. */
  readonly requests: string[]
  /** Connections made to it so far, and those still there. */
  connections(): { readonly made: number; readonly open: number }
  decide(fate: (request: http.IncomingMessage) => Fate): void
  stop(): Promise<void>
}

/** A proxy that gives a real store the manners of another one, answer by answer. */
export async function startAnswerProxy(port: number): Promise<AnswerProxy> {
  let fateOf: (request: http.IncomingMessage) => Fate = () => 'pass'
  const requests: string[] = []
  const server = http.createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`)
    const fate = fateOf(request)
    if (typeof fate === 'object') {
      request.resume().on('end', () => response.writeHead(fate.status, fate.headers).end(fate.body))
      return
    }
    const { method, url, headers } = request
    const { expect: _, ...forwarded } = headers
    const upstream = http.request({ port, method, path: url, headers: forwarded }, (answer) => {
      if (fate === 'lose-answer') {
        answer.resume().on('end', () => request.socket.resetAndDestroy())
        return
      }
      response.writeHead(answer.statusCode ?? 500, answer.headers)
      answer.pipe(response)
    })
    upstream.on('error', () => request.socket.resetAndDestroy())
    request.pipe(upstream)
  })
  let made = 0
  let open = 0
  server.on('connection', (socket) => {
    made++
    open++
    socket.once('close', () => open--)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connections: () => ({ made, open }),
    decide(fate) {
      fateOf = fate
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
