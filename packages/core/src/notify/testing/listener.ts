import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server of this machine that remembers what it was told. */
export interface Listener {
  readonly url: string
  readonly heard: { readonly path: string; readonly method: string; readonly body: string }[]
  /** What the next requests are answered with: a status, or nothing at all. @default 200 */
  answers: (number | 'silence' | 'hang-up')[]
  close(): Promise<void>
}

export async function listen(path = '/ping/0bc3-secret'): Promise<Listener> {
  const heard: { readonly path: string; readonly method: string; readonly body: string }[] = []
  const listener = { answers: [] as (number | 'silence' | 'hang-up')[] }
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      heard.push({ path: request.url ?? '', method: request.method ?? '', body })
      const answer = listener.answers.shift() ?? 200
      if (answer === 'hang-up') request.socket.destroy()
      else if (answer !== 'silence') response.writeHead(answer).end('OK')
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return Object.assign(listener, {
    url: `http://127.0.0.1:${port}${path}`,
    heard,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  })
}
