import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createHttpHandler, type HttpHandler } from './http-handler.ts'

const timeouts = { connectMs: 1000, requestMs: 1000, idleMs: 300 }
const open: (() => unknown)[] = []

afterEach(async () => {
  for (const close of open.splice(0)) await close()
})

function handler(more: Partial<typeof timeouts> = {}): HttpHandler {
  const made = createHttpHandler({ timeouts: { ...timeouts, ...more } })
  open.push(() => made.destroy())
  return made
}

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  open.push(() => server.close())
  return (server.address() as AddressInfo).port
}

function request(port: number, more: object = {}) {
  return { method: 'PUT', protocol: 'http:', hostname: '127.0.0.1', port, path: '/', headers: {}, ...more }
}

async function text(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

describe('the handler of requests', () => {
  it('sends text, bytes and streams, and escapes the query as it is signed', async () => {
    const seen: { url: string; body: string }[] = []
    const server = http.createServer(async (incoming, response) => {
      seen.push({ url: incoming.url ?? '', body: await text(incoming) })
      response.end('done')
    })
    const port = await listen(server)
    const { handle } = handler()
    async function* stream() {
      yield Buffer.from('in ')
      yield Buffer.from('pieces')
    }
    for (const body of ['text', Buffer.from('bytes'), stream(), undefined]) {
      const { response } = await handle(
        request(port, { body, query: { delete: '', 'a b': ["it's", 'ü'], none: null } }),
      )
      expect(response.statusCode).toBe(200)
      expect(await text(response.body)).toBe('done')
    }
    expect(seen.map(({ body }) => body)).toEqual(['text', 'bytes', 'in pieces', ''])
    expect(seen[0]?.url).toBe('/?a%20b=it%27s&a%20b=%C3%BC&delete=&none')
  })

  it('says that a DELETE has no body', async () => {
    const lengths: unknown[] = []
    const server = http.createServer((incoming, response) => {
      lengths.push(incoming.headers['content-length'])
      response.end()
    })
    const port = await listen(server)
    for (const method of ['DELETE', 'GET', 'POST']) {
      const { response } = await handler().handle(request(port, { method }))
      response.body.resume()
    }
    expect(lengths).toEqual(['0', undefined, '0'])
  })

  it('asks before it sends a large body, and keeps the body when the answer is no', async () => {
    const server = http.createServer()
    server.on('checkContinue', (incoming, response) => {
      if (incoming.url === '/no') response.writeHead(403).end()
      else {
        response.writeContinue()
        incoming.resume().on('end', () => response.end())
      }
    })
    const port = await listen(server)
    const { handle } = handler()
    let read = 0
    async function* body() {
      read++
      yield Buffer.from('large')
    }
    const headers = { Expect: '100-continue', 'content-length': '5' }
    expect((await handle(request(port, { path: '/no', headers, body: body() }))).response.statusCode).toBe(403)
    expect(read).toBe(0)
    expect((await handle(request(port, { path: '/yes', headers, body: body() }))).response.statusCode).toBe(200)
    expect(read).toBe(1)
  })

  it('sends the body unasked to a store that knows no asking, and does not ask it again', async () => {
    const asked: boolean[] = []
    const server = net.createServer((socket) => {
      let head = ''
      socket.on('data', (chunk) => {
        head += chunk.toString()
        if (!head.endsWith('large')) return
        asked.push(/expect: 100/i.test(head))
        head = ''
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      })
    })
    const port = await listen(server)
    const { handle } = handler({ requestMs: 5000 })
    const headers = { Expect: '100-continue', 'content-length': '5' }
    for (let i = 0; i < 2; i++) {
      const { response } = await handle(request(port, { headers, body: 'large' }))
      expect(response.statusCode).toBe(200)
      response.body.resume()
    }
    expect(asked).toEqual([true, false])
  })

  it('hands on an answer that comes before the body is sent, and closes the connection', async () => {
    let connections = 0
    const server = net.createServer((socket) => {
      connections++
      socket.once('data', () => socket.write('HTTP/1.1 507 Full\r\ncontent-length: 4\r\n\r\nfull'))
      socket.on('error', () => {})
    })
    const port = await listen(server)
    const { handle } = handler()
    for (let i = 1; i <= 2; i++) {
      const body = Buffer.alloc(20 * 1024 ** 2)
      const { response } = await handle(request(port, { headers: { 'content-length': String(body.length) }, body }))
      expect(response.statusCode).toBe(507)
      expect(await text(response.body)).toBe('full')
      expect(connections).toBe(i)
    }
  })

  it('gives up on a store that takes nothing, answers nothing or stops in the middle', async () => {
    const mute = await listen(net.createServer((socket) => void socket.pause()))
    const { handle } = handler()
    const body = Buffer.alloc(30 * 1024 ** 2)
    const headers = { 'content-length': String(body.length) }
    await expect(handle(request(mute, { headers, body }))).rejects.toMatchObject({ message: /nothing was taken/ })
    await expect(handle(request(mute))).rejects.toMatchObject({ message: /no answer within/ })
    const halting = await listen(
      net.createServer((socket) => {
        socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'))
        socket.on('error', () => {})
      }),
    )
    const { response } = await handle(request(halting))
    await expect(text(response.body)).rejects.toMatchObject({ message: /stalled/ })
  })

  it('takes no more of a body than the connection does, and gives it to the socket in small pieces', async () => {
    const mute = await listen(net.createServer((socket) => void socket.pause()))
    const total = 512 * 1024 ** 2
    let taken = 0
    async function* body() {
      for (const chunk = Buffer.alloc(1024 ** 2); taken < total; taken += chunk.length) yield chunk
    }
    const write = vi.spyOn(net.Socket.prototype, 'write')
    open.push(() => write.mockRestore())
    await expect(
      handler().handle(request(mute, { headers: { 'content-length': String(total) }, body: body() })),
    ).rejects.toMatchObject({ message: /nothing was taken/ })
    expect(taken).toBeLessThan(64 * 1024 ** 2)
    const sizes = write.mock.calls.map(([chunk]) => chunk.length)
    expect(sizes.length).toBeGreaterThan(8)
    expect(Math.max(...sizes)).toBe(128 * 1024)
  })

  it('has patience with a reader who takes his time', async () => {
    const large = Buffer.alloc(5 * 1024 ** 2, 'x')
    const port = await listen(http.createServer((_, response) => response.end(large)))
    const { response } = await handler({ idleMs: 100 }).handle(request(port))
    await once(response.body, 'readable')
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect((await text(response.body)).length).toBe(large.length)
  })

  it('throws what the body throws', async () => {
    const port = await listen(
      http.createServer((incoming, response) => incoming.resume().on('end', () => response.end())),
    )
    async function* body() {
      yield Buffer.from('a')
      throw new Error('the spool is gone')
    }
    await expect(handler().handle(request(port, { headers: { 'content-length': '9' }, body: body() }))).rejects.toThrow(
      'the spool is gone',
    )
  })

  it('ends with its signal, before, while sending and while reading', async () => {
    const { handle } = handler()
    const mute = await listen(net.createServer((socket) => void socket.pause()))
    await expect(handle(request(mute), { abortSignal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    })
    const controller = new AbortController()
    const sending = handle(request(mute), { abortSignal: controller.signal })
    setImmediate(() => controller.abort())
    await expect(sending).rejects.toMatchObject({ name: 'AbortError' })
    const endless = await listen(http.createServer((_, response) => void response.write('some')))
    const reading = new AbortController()
    const { response } = await handle(request(endless), { abortSignal: reading.signal })
    setImmediate(() => reading.abort())
    await expect(text(response.body)).rejects.toThrow()
  })
})
