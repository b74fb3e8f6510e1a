import { createHash, randomBytes } from 'node:crypto'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { disposableChunk, disposeChunk } from '@sqlite-backup/core'
import { afterEach, expect, it } from 'vitest'
import { createHttpHandler, type HttpHandler } from './http-handler.ts'
import { ownChunk } from './socket-chunks.ts'

const body = randomBytes(5_000_001)
const sha256 = createHash('sha256').update(body).digest('hex')
let server: http.Server
let handler: HttpHandler

afterEach(async () => {
  handler.destroy()
  await new Promise((resolve) => server.close(resolve))
})

async function start(listener: http.RequestListener): Promise<(more?: object) => ReturnType<HttpHandler['handle']>> {
  server = http.createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  handler = createHttpHandler({ timeouts: { connectMs: 10_000, requestMs: 30_000, idleMs: 30_000 } })
  return (more) =>
    handler.handle({ method: 'GET', protocol: 'http:', hostname: '127.0.0.1', port, path: '/', headers: {}, ...more })
}

it('hands out every byte of large answers, one after the other on one connection and side by side', async () => {
  const sockets = new Set<unknown>()
  const ask = await start((request, response) => {
    sockets.add(request.socket)
    response.setHeader('content-length', body.length).end(body)
  })
  const hashOf = async (): Promise<string> => {
    const hash = createHash('sha256')
    for await (const chunk of (await ask()).response.body) {
      const own = ownChunk(chunk)
      hash.update(own)
      disposeChunk(own)
    }
    return hash.digest('hex')
  }
  for (let i = 0; i < 4; i++) expect(await hashOf()).toBe(sha256)
  expect(sockets.size).toBe(1)
  expect(await Promise.all([hashOf(), hashOf(), hashOf()])).toEqual([sha256, sha256, sha256])
})

it('gives the memory of chunks back that may be, once they are sent', async () => {
  const seen = createHash('sha256')
  const ask = await start(async (request, response) => {
    for await (const chunk of request) seen.update(chunk)
    response.end()
  })
  const sent: Uint8Array[] = []
  const kept: Uint8Array[] = []
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (let at = 0, i = 0; at < body.length; at += 300_000, i++) {
      const chunk = Uint8Array.from(body.subarray(at, at + 300_000))
      ;(i % 2 === 0 ? sent : kept).push(chunk)
      yield i % 2 === 0 ? disposableChunk(chunk) : chunk
    }
  }
  const { response } = await ask({ method: 'PUT', body: chunks(), headers: { 'content-length': String(body.length) } })
  response.body.resume()
  expect(seen.digest('hex')).toBe(sha256)
  expect(sent.every((chunk) => chunk.byteLength === 0)).toBe(true)
  expect(kept.every((chunk) => chunk.byteLength > 0)).toBe(true)
})
