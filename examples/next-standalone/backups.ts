import { subscribe } from 'node:diagnostics_channel'
import type { Server } from 'node:http'
import {
  type Closing,
  createClosing,
  onStopSignal,
  openBackup,
  type SqliteBackup,
  stderrLogger,
} from '@sqlite-backup/core'
import config from './sqlite-backup.config'

/** The one engine of this process: Next bundles this module several times, and loads it again in development. */
export function openSharedBackup(): Promise<SqliteBackup> {
  return openBackup(config, { shared: true, log: stderrLogger() })
}

/** Restores the database if it is missing, and starts the schedules. */
export async function startBackups() {
  try {
    const backup = await openSharedBackup()
    await backup.restoreIfMissing()
    await backup.start()
    closeWithServer(backup)
  } catch (error) {
    // Without its data the app must not start. Left to itself, Next would stay and answer every request with a 500.
    console.error(error)
    process.exit(1)
  }
}

/** A last backup when the app is stopped. Next would exit without waiting for it, unless NEXT_MANUAL_SIG_HANDLE is set. */
function closeWithServer(backup: SqliteBackup) {
  // Next keeps its server to itself; each request tells which one it is.
  const servers = new Map<Server, Closing>()
  subscribe('http.server.request.start', (message) => {
    const { server } = message as { server: Server }
    if (!servers.has(server)) servers.set(server, createClosing(server, backup))
  })
  onStopSignal(async () => {
    for (const [server, closing] of servers) await closing.around(() => new Promise((done) => server.close(done)))
    await backup.close({ backup: 'if-changed' })
  })
}
