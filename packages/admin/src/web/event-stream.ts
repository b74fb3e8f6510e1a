/** A stream of server-sent events that stays open until the reader goes or the admin closes. */
export interface EventStream {
  readonly response: Response
  send(event: string, data: unknown): void
  close(): void
}

// Proxies close what is silent for a minute.
const HEARTBEAT_MS = 25_000

export function openEventStream(onClose: () => void): EventStream {
  const encoder = new TextEncoder()
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined
  const write = (text: string): void => {
    // A reader that does not read is not waited for: what it missed it sees with its next look.
    if (controller !== undefined && (controller.desiredSize ?? 0) > -100) controller.enqueue(encoder.encode(text))
  }
  const heartbeat = setInterval(() => write(': still here\n\n'), HEARTBEAT_MS)
  heartbeat.unref()
  const end = (): void => {
    clearInterval(heartbeat)
    controller = undefined
    onClose()
  }
  const body = new ReadableStream<Uint8Array>({
    start(given) {
      controller = given
      write('retry: 3000\n\n')
    },
    cancel: end,
  })
  return {
    response: new Response(body, {
      headers: {
        'content-type': 'text/event-stream; charset=utf-8',
        // Neither nginx nor a `compression` middleware may gather events until there are enough of them.
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
      },
    }),
    send: (event, data) => write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
    close() {
      const open = controller
      if (open === undefined) return
      end()
      open.close()
    },
  }
}
