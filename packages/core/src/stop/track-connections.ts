import type { Server } from 'node:net'
import type { Duplex } from 'node:stream'

/** The connections of a server, from when they are tracked. */
export interface Connections {
  /**
   * To be called when the server is closing: lets idle connections go as they become idle, and after `cutAfterMs` the
   * others too: one client that never hangs up must not cost the last backup.
   */
  drain(cutAfterMs: number): void
}

/** What `node:http`, `node:https` and `node:http2` servers have in common. */
export interface DrainableServer extends Pick<Server, 'on' | 'once'> {
  closeIdleConnections?(): void
}

const SWEEP_MS = 50

/**
 * Watches the connections of a server. `server.close()` waits for keep-alive connections that become idle after it was
 * called, and `closeAllConnections()` does not know those that were upgraded: https://nodejs.org/api/http.html#serverclosecallback
 */
export function trackConnections(server: DrainableServer): Connections {
  const open = new Set<Duplex>()
  const track = (socket: Duplex): void => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }
  server.on('connection', track)
  server.on('secureConnection', track)
  return {
    drain(cutAfterMs) {
      const sweep = setInterval(() => server.closeIdleConnections?.(), SWEEP_MS)
      const cut = setTimeout(() => {
        for (const socket of open) socket.destroy()
      }, cutAfterMs)
      server.once('close', () => {
        clearInterval(sweep)
        clearTimeout(cut)
      })
      sweep.unref()
    },
  }
}
