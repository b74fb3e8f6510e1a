import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** `up` is from the client to the server, `down` the way back. */
export type Direction = 'up' | 'down'

export interface Fault {
  /**
   * - `reset`: both sides get a TCP reset
   * - `stall`: this direction moves nothing any more, everything stays open
   * - `end`: the receiver sees an early end of this direction (half-close); the other direction goes on
   * - `flip`: one bit of the next byte is wrong, everything goes on
   */
  readonly kind: 'reset' | 'stall' | 'end' | 'flip'
  readonly direction: Direction
  /** Bytes let through first, counted for each connection from the moment of arming. */
  readonly afterBytes: number
  /** How many connections it hits. @default Infinity */
  readonly times?: number
}

export interface FaultProxyOptions {
  readonly host?: string
  readonly port: number
}

/** A TCP proxy that breaks connections on cue. */
export interface FaultProxy {
  readonly port: number
  /** Replaces the armed faults, and counts bytes from here. Without arguments: no faults. */
  arm(...faults: readonly Fault[]): void
  /** From now on every direction named moves at most so many bytes a second per connection. */
  slow(bytesPerSecond: Readonly<Partial<Record<Direction, number>>>): void
  /** New connections are refused; open ones live on. */
  refuse(): Promise<void>
  /** Ends {@link FaultProxy.refuse}. */
  accept(): Promise<void>
  /** Resets all open connections. */
  resetAll(): void
  /** What has happened so far. */
  readonly counts: { readonly connections: number; readonly hits: number; readonly up: number; readonly down: number }
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

interface ArmedFault extends Fault {
  timesLeft: number
}

/**
 * Starts a proxy on loopback in front of a server.
 *
 * @example
 * const proxy = await startFaultProxy({ port: rgw.port })
 * proxy.arm({ kind: 'reset', direction: 'down', afterBytes: 1_000_000, times: 1 })
 */
export async function startFaultProxy(target: FaultProxyOptions): Promise<FaultProxy> {
  const sockets = new Set<Socket>()
  const counts = { connections: 0, hits: 0, up: 0, down: 0 }
  let faults: readonly ArmedFault[] = []
  let limits: Readonly<Partial<Record<Direction, number>>> = {}

  const server = createServer({ allowHalfOpen: true }, (client) => {
    counts.connections++
    const upstream = connect({ host: target.host ?? '127.0.0.1', port: target.port, allowHalfOpen: true })
    const pair = [client, upstream] as const
    for (const socket of pair) {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.once('close', () => {
        sockets.delete(socket)
        for (const other of pair) other.destroy()
      })
      // The other side learns of it by the destroy above.
      socket.on('error', () => {})
    }
    void pump(client, upstream, 'up')
    void pump(upstream, client, 'down')
  })

  async function pump(source: Socket, receiver: Socket, direction: Direction): Promise<void> {
    let armed = faults
    let passedBytes = 0
    let spent = new Set<Fault>()
    try {
      for await (let chunk of source.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        if (armed !== faults) {
          armed = faults
          passedBytes = 0
          spent = new Set()
        }
        const fault = armed.find(
          (one) =>
            one.direction === direction &&
            one.timesLeft > 0 &&
            !spent.has(one) &&
            passedBytes + chunk.length > one.afterBytes,
        )
        if (fault !== undefined) {
          counts.hits++
          fault.timesLeft--
          spent.add(fault)
          const before = Math.max(0, fault.afterBytes - passedBytes)
          if (fault.kind !== 'flip') {
            await send(receiver, chunk.subarray(0, before))
            return await breakOff(fault.kind, source, receiver)
          }
          chunk = Buffer.from(chunk)
          chunk.writeUInt8(chunk.readUInt8(before) ^ 1, before)
        }
        const limit = limits[direction]
        if (limit !== undefined) await sleep((chunk.length / limit) * 1000)
        passedBytes += chunk.length
        counts[direction] += chunk.length
        await send(receiver, chunk)
      }
      receiver.end()
    } catch {
      // A connection that broke by itself breaks on the other side too.
      source.destroy()
      receiver.destroy()
    }
  }

  await listen(0)
  const { port } = server.address() as AddressInfo

  function listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', () => {
        server.off('error', reject)
        resolve()
      })
    })
  }

  async function stop(): Promise<void> {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await new Promise((resolve) => server.close(resolve))
  }

  return {
    port,
    counts,
    arm(...next) {
      faults = next.map((fault) => ({ ...fault, timesLeft: fault.times ?? Number.POSITIVE_INFINITY }))
    },
    slow(bytesPerSecond) {
      limits = bytesPerSecond
    },
    async refuse() {
      // Its callback would wait for the open connections; the port is closed at once.
      server.close()
    },
    accept: () => listen(port),
    resetAll() {
      for (const socket of sockets) socket.resetAndDestroy()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function send(receiver: Socket, chunk: Buffer): Promise<void> {
  if (chunk.length === 0 || receiver.destroyed || receiver.write(chunk)) return
  const settled = new AbortController()
  try {
    const waits = ['drain', 'close'].map((event) => once(receiver, event, { signal: settled.signal }))
    for (const wait of waits) wait.catch(() => {}) // The one that loses is aborted below.
    await Promise.race(waits)
  } finally {
    settled.abort()
  }
}

async function breakOff(kind: 'reset' | 'stall' | 'end', source: Socket, receiver: Socket): Promise<void> {
  if (kind === 'stall') return
  if (kind === 'end') {
    receiver.end()
    source.resume()
    return
  }
  // A reset overtakes bytes that are still on their way: let them arrive first.
  await sleep(20)
  source.resetAndDestroy()
  receiver.resetAndDestroy()
}
