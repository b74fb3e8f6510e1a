import { createHash, randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'

const download = randomBytes(1_000_000)
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

let server: Server
let proxy: FaultProxy

beforeAll(async () => {
  // GET answers with the download, PUT with the digest of what arrived.
  server = createServer(async (incoming, answer) => {
    if (incoming.method === 'GET') {
      answer.setHeader('content-length', download.length).end(download)
      return
    }
    incoming.on('error', () => answer.destroy())
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => answer.end(sha256(Buffer.concat(chunks))))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  proxy = await startFaultProxy({ port: (server.address() as AddressInfo).port })
})
afterEach(() => {
  proxy.arm()
  proxy.slow({})
  proxy.resetAll()
})
afterAll(async () => {
  await proxy.stop()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

interface Answer {
  readonly body: Buffer
  readonly error: string | undefined
}

/** One request on a connection of its own; `body` is what arrived before it ended or broke. */
function send(method: string, payload: Buffer = Buffer.alloc(0), idleMs = 0): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const done = (error?: NodeJS.ErrnoException): void => {
      outgoing.destroy()
      resolve({ body: Buffer.concat(chunks), error: error?.code })
    }
    const outgoing = request(
      { host: '127.0.0.1', port: proxy.port, method, agent: false },
      (answer: IncomingMessage) => {
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.on('error', done)
        answer.on('end', () => done())
      },
    )
    outgoing.on('error', done)
    if (idleMs > 0)
      outgoing.setTimeout(idleMs, () => outgoing.destroy(Object.assign(new Error('idle'), { code: 'IDLE' })))
    outgoing.end(payload)
  })
}

describe('startFaultProxy', () => {
  it('changes nothing without faults', async () => {
    const before = proxy.counts.down
    expect((await send('GET')).body.equals(download)).toBe(true)
    expect((await send('PUT', download)).body.toString()).toBe(sha256(download))
    expect(proxy.counts.down - before).toBeGreaterThan(download.length)
  })

  it('resets a download after so many bytes, as often as told', async () => {
    const before = proxy.counts.hits
    proxy.arm({ kind: 'reset', direction: 'down', afterBytes: 300_000, times: 1 })
    const broken = await send('GET')
    expect(broken.error).toBe('ECONNRESET')
    expect(broken.body.length).toBeLessThan(300_000)
    expect((await send('GET')).body.equals(download)).toBe(true)
    expect(proxy.counts.hits - before).toBe(1)
  })

  it('resets an upload', async () => {
    proxy.arm({ kind: 'reset', direction: 'up', afterBytes: 10_000 })
    expect((await send('PUT', download)).error).toMatch(/ECONNRESET|EPIPE/)
  })

  it('ends a download early without an error on the wire', async () => {
    proxy.arm({ kind: 'end', direction: 'down', afterBytes: 300_000 })
    const short = await send('GET')
    expect(short.body.length).toBeGreaterThan(0)
    expect(short.body.length).toBeLessThan(300_000)
  })

  it('stalls in either direction and keeps the connection open', async () => {
    for (const [direction, method] of [
      ['down', 'GET'],
      ['up', 'PUT'],
    ] as const) {
      proxy.arm({ kind: 'stall', direction, afterBytes: 5_000 })
      expect((await send(method, method === 'PUT' ? download : Buffer.alloc(0), 200)).error).toBe('IDLE')
    }
  })

  it('flips exactly one bit', async () => {
    proxy.arm({ kind: 'flip', direction: 'down', afterBytes: 400_000 })
    const { body } = await send('GET')
    expect(body.length).toBe(download.length)
    const wrong = [...body.keys()].filter((i) => body[i] !== download[i])
    expect(wrong).toHaveLength(1)
    const at = wrong[0] ?? 0
    expect((body[at] ?? 0) ^ (download[at] ?? 0)).toBe(1)
    proxy.arm({ kind: 'flip', direction: 'up', afterBytes: 400_000 })
    expect((await send('PUT', download)).body.toString()).not.toBe(sha256(download))
  })

  it('refuses connections until told otherwise', async () => {
    await proxy.refuse()
    expect((await send('GET')).error).toBe('ECONNREFUSED')
    await proxy.accept()
    expect((await send('GET')).body.equals(download)).toBe(true)
  })

  it('passes everything on when slow', async () => {
    proxy.slow({ down: 20_000_000 })
    expect((await send('GET')).body.equals(download)).toBe(true)
  })
})
