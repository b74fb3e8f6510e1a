import type { ServerResponse } from 'node:http'
import { finished } from 'node:stream/promises'

/** Sends a Response as Node's: its headers replace what was set before; a client that leaves ends the body. */
export async function sendResponse(response: Response, reply: ServerResponse): Promise<void> {
  reply.statusCode = response.status
  for (const [name, value] of response.headers) {
    if (name !== 'set-cookie') reply.setHeader(name, value)
  }
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) reply.setHeader('set-cookie', cookies)
  if (response.body === null || reply.req.method === 'HEAD') {
    await response.body?.cancel()
    reply.end()
    return
  }
  reply.flushHeaders()
  const reader = response.body.getReader()
  const gone = (): void => {
    if (!reply.writableFinished) void reader.cancel().catch(() => undefined)
  }
  reply.once('close', gone)
  // A stream that never ends by itself would keep `server.close()` waiting.
  const isEndless = response.headers.get('content-type')?.startsWith('text/event-stream') === true
  const watch = isEndless ? setInterval(() => isStopping(reply) && gone(), 200) : undefined
  watch?.unref()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done || reply.destroyed) break
      if (!reply.write(value)) await drained(reply)
    }
    reply.end()
  } catch {
    // The head has been sent: breaking the connection is the only way left to say that the body is not whole.
    reply.destroy()
  } finally {
    clearInterval(watch)
    reply.off('close', gone)
  }
}

function isStopping({ req }: ServerResponse): boolean {
  const { server } = req.socket as { readonly server?: { readonly listening?: boolean } }
  return server?.listening === false
}

async function drained(reply: ServerResponse): Promise<void> {
  const closed = new AbortController()
  await Promise.race([
    new Promise((resolve) => reply.once('drain', resolve)),
    finished(reply, { signal: closed.signal }).catch(() => undefined),
  ])
  closed.abort()
}
